"""Kernels compiled ahead of time: what they need of others, which CPU gets which, and what happens without them."""

import compileall
import ctypes
import importlib.util
import os
import platform
import re
import runpy
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from nerlite import backends
from nerlite.backends import load_ops
from nerlite.ops import arrays, cpu, features, library, stamp
from nerlite.ops.arguments import BestSpans, Viterbi

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tools"))
from targets import TARGETS  # noqa: E402

HERE = [level for level in cpu.LEVELS.values() if level.machine == platform.machine()]


@pytest.fixture(scope="module")
def build():
    """The tool, and the libraries of this kind of machine, built if they are not there."""
    pytest.importorskip("numba")
    if not (shutil.which("cc") and shutil.which("objdump")):
        pytest.skip("no C compiler, or no objdump")
    spec = importlib.util.spec_from_file_location("build_kernels", ROOT / "tools" / "build_kernels.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# A vector of x86 that found no register and went to the stack.
SPILLED = r"[xyz]mm\d+, -?\d*\(%r[sb]p\)"


def run_python(code, **environment):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          env=os.environ | environment).stdout.strip()


def test_each_level_has_a_library_that_needs_little_more_than_mathematics(build):
    for level, path in zip(HERE, build.build(["all"]), strict=True):
        assert str(path) == library.library_path(level)
        assert path.stat().st_size < 450_000
        nm = subprocess.run(["nm", "-D", "--undefined-only", path], capture_output=True, text=True, check=True)
        needed = {re.sub("@.*", "", line.split()[-1]) for line in nm.stdout.splitlines() if " w " not in line}
        assert needed <= build.TARGETS[f"linux-{level.machine}"].may_need


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the instructions are x86's")
def test_each_librarys_code_is_of_its_level(build):
    build.build(["all"])
    # What the instruction of an int8 product begins with, after its prefix: opcode maps of VEX and EVEX.
    for name, wanted, absent in (("avx2", "vpmaddubsw", "vpdpbusd"), ("avxvnni", "vpdpbusd", "zmm"),
                                 ("vnni", "vpdpbusd", "vpmaddubsw"), ("vnni", "vpdpbusd", "tdpbusd"),
                                 ("amx", "tdpbusd", "vpmaddubsw")):
        code = subprocess.run(["objdump", "-d", library.library_path(cpu.LEVELS[name])], capture_output=True, text=True,
                              check=True).stdout
        assert wanted in code
        assert absent not in code


def test_tagging_with_a_library_never_imports_numba():
    if load_ops("auto").name != "native":
        pytest.skip("no library fits this machine")
    code = ("import sys, nerlite; tagger = nerlite.load(); tagger('My name is John!'); "
            "print(tagger.backend, [name for name in sys.modules if name.split('.')[0] in ('numba', 'llvmlite')])")
    assert run_python(code) == "native []"


def test_the_level_is_the_best_that_the_cpu_has_or_a_lower_one_that_is_asked_for(monkeypatch):
    monkeypatch.setattr(cpu, "machine", lambda: "x86_64")
    monkeypatch.setattr(cpu, "_may_use_amx", lambda: True)
    for name in ("any", "avx2", "avxvnni", "vnni", "amx"):
        features = cpu.LEVELS[name].features
        monkeypatch.setattr(cpu, "_features", lambda features=features: features)
        monkeypatch.delenv("NERLITE_CPU_LEVEL", raising=False)
        assert cpu.cpu_level().name == name
        monkeypatch.setenv("NERLITE_CPU_LEVEL", "amx")
        assert cpu.cpu_level().name == name
        monkeypatch.setenv("NERLITE_CPU_LEVEL", "any")
        assert cpu.cpu_level().name == "any"
    monkeypatch.setattr(cpu, "_may_use_amx", lambda: False)  # as where a sandbox forbids the question
    monkeypatch.delenv("NERLITE_CPU_LEVEL")
    assert cpu.cpu_level().name == "vnni"
    monkeypatch.setattr(cpu, "machine", lambda: "aarch64")
    for more, name in (([], "any"), (["asimddp"], "neon"), (["asimddp", "i8mm"], "i8mm")):
        monkeypatch.setattr(cpu, "_features", lambda more=more: frozenset(["fp", "asimd", *more]))
        assert cpu.cpu_level().name == name


@pytest.mark.parametrize(("name", "called"), [("x86_64", "x86_64"), ("AMD64", "x86_64"), ("arm64", "aarch64"),
                                               ("aarch64", "aarch64"), ("riscv64", "riscv64")])
def test_machines_have_one_name_on_all_systems(monkeypatch, name, called):
    monkeypatch.setattr(features.os, "uname", lambda: type("Uname", (), {"machine": name}), raising=False)
    assert features.machine() == called
    monkeypatch.delattr(features.os, "uname")
    monkeypatch.setattr(platform, "machine", lambda: name)
    assert features.machine() == called


V3 = ["AVX2", "FMA3", "F16C", "BMI", "BMI2", "MOVBE"]
V4 = [*V3, "AVX512F", "AVX512BW", "AVX512CD", "AVX512DQ", "AVX512VL", "AVX512VNNI"]


@pytest.mark.parametrize(("machine", "has", "lacks", "level"), [
    ("x86_64", V4, [], "vnni"), ("x86_64", V3, ["AVX512F"], "avx2"), ("x86_64", V3[:3], [], "avx2"),
    ("x86_64", V3[:3], ["BMI2"], "any"), ("x86_64", V4[:-1], ["AVX512VNNI"], "avx2"), ("x86_64", ["SSE42"], [], "any"),
    ("aarch64", ["NEON", "ASIMDDP"], [], "neon"), ("aarch64", ["NEON"], ["ASIMDDP"], "any")])
def test_numpys_table_tells_where_linux_does_not(monkeypatch, machine, has, lacks, level):
    """As on Windows and macOS, and under an emulator, whose /proc/cpuinfo is that of another machine."""
    for module, name, value in ((features, "_of_linux", frozenset(["lahf_lm"])), (features, "machine", machine),
                                (features, "_numpy_table", dict.fromkeys(has, True) | dict.fromkeys(lacks, False)),
                                (features, "_arm_has", False), (cpu, "machine", machine)):
        monkeypatch.setattr(module, name, lambda *_, value=value: value)
    monkeypatch.delenv("NERLITE_CPU_LEVEL", raising=False)
    assert cpu.cpu_level().name == level


@pytest.mark.parametrize(("system", "answers", "level"), [
    ("linux", {16: 1 << 20 | 1 << 1, 26: 1 << 13 | 1 << 1}, "i8mm"), ("linux", {16: 1 << 20, 26: 0}, "neon"),
    ("linux", {16: 1 << 19, 26: ~(1 << 13)}, "any"),
    ("darwin", {b"hw.optional.arm.FEAT_DotProd": 1, b"hw.optional.arm.FEAT_I8MM": 1}, "i8mm"),
    ("darwin", {b"hw.optional.arm.FEAT_DotProd": 1, b"hw.optional.arm.FEAT_I8MM": 0}, "neon"),
    ("darwin", {}, "any"), ("win32", {43: 1}, "neon"), ("win32", {43: 0}, "any"), ("sunos5", {}, "any")])
def test_systems_tell_what_an_arm_cpu_has(monkeypatch, system, answers, level):
    class Library:
        def __init__(self, name=None):
            self.kernel32 = self

        def getauxval(self, number):
            return answers[number.value]

        def sysctlbyname(self, name, value, *_):
            if name in answers:
                value._obj.value = answers[name]
            return -(name not in answers)

        def IsProcessorFeaturePresent(self, number):  # noqa: N802  # Windows' name
            return answers[number]

    monkeypatch.setattr(features.sys, "platform", system)
    monkeypatch.setattr(ctypes, "CDLL", Library)
    monkeypatch.setattr(ctypes, "windll", Library(), raising=False)
    monkeypatch.setattr(features, "_numpy_table", dict)
    monkeypatch.setattr(features, "_of_linux", lambda: frozenset(["asimddp", "i8mm"]))  # of another machine
    for module in (features, cpu):
        monkeypatch.setattr(module, "machine", lambda: "aarch64")
    monkeypatch.delenv("NERLITE_CPU_LEVEL", raising=False)
    assert cpu.cpu_level().name == level


@pytest.mark.parametrize("name", [name for name, target in TARGETS.items() if target.machine == "x86_64"])
def test_wheels_have_the_levels_that_a_cpu_with_all_of_them_finds_there(monkeypatch, name):
    """And no library that nothing would load."""
    table = dict.fromkeys(features._numpy_table(), True)
    told = frozenset().union(*(level.features for level in cpu.LEVELS.values())) if "linux" in name else frozenset()
    platforms = {"macos": "darwin", "windows": "win32"}
    monkeypatch.setattr(features.sys, "platform", platforms.get(name.partition("-")[0], "linux"))
    for module, function, value in ((features, "_numpy_table", table), (features, "_of_linux", told),
                                    (features, "machine", "x86_64"), (cpu, "machine", "x86_64"),
                                    (features, "cpuid", [~0] * 4), (cpu, "_may_use_amx", True)):
        monkeypatch.setattr(module, function, lambda *_, value=value: value)
    monkeypatch.delenv("NERLITE_CPU_LEVEL", raising=False)
    x86 = {level.name for level in cpu.LEVELS.values() if level.machine == "x86_64"}
    assert {level.name for level in cpu.cpu_levels()} - {"any"} == x86 - TARGETS[name].lacks


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="there is nothing to compare with")
def test_numpy_and_linux_agree(monkeypatch):
    told = features._of_linux()
    monkeypatch.setattr(features, "_of_linux", frozenset)
    known = frozenset().union(*(level.features for level in cpu.LEVELS.values())) - {"avx_vnni", "amx_tile", "amx_int8"}
    assert features.features() & known == told & known


@pytest.mark.parametrize(("has", "answer", "level"), [
    (V3, 1 << 4, "avxvnni"), (V3, ~(1 << 4), "avx2"), (V4, 1 << 4, "vnni"), (["SSE42"], 1 << 4, "any")])
def test_on_windows_the_cpu_tells_of_avx_vnni_where_processes_may_use_avx2(monkeypatch, has, answer, level):
    said = {(7, 1): (answer, 0, 0, 0)}
    for module, name, value in ((features, "_of_linux", frozenset()), (features, "machine", "x86_64"),
                                (features, "_numpy_table", dict.fromkeys([*V4, "AVX512_SPR"], False)
                                 | dict.fromkeys(has, True)), (cpu, "machine", "x86_64")):
        monkeypatch.setattr(module, name, lambda value=value: value)
    monkeypatch.setattr(features, "cpuid", lambda *asked: said[asked])
    monkeypatch.delenv("NERLITE_CPU_LEVEL", raising=False)
    monkeypatch.setattr(features.sys, "platform", "win32")
    assert cpu.cpu_level().name == level
    monkeypatch.setattr(features.sys, "platform", "linux")  # whose own word counts
    assert cpu.cpu_level().name == ("avx2" if level == "avxvnni" else level)


# Of leaf 7: Linux's name, the subleaf, which of the registers EAX to EDX, and the bit in it.
LEAF_7 = [("bmi1", 0, 1, 3), ("avx2", 0, 1, 5), ("bmi2", 0, 1, 8), ("avx512f", 0, 1, 16), ("gfni", 0, 2, 8),
          ("avx512_vnni", 0, 2, 11), ("amx_tile", 0, 3, 24), ("avx_vnni", 1, 0, 4), ("avx512_bf16", 1, 0, 5)]


@pytest.mark.skipif(platform.machine() != "x86_64" or not features._of_linux(), reason="there is nothing to compare")
def test_the_cpu_says_what_linux_says(folder):
    assert features.cpuid(0, 0) == (0, 0, 0, 0)  # nothing is there that can ask
    path = Path(library.library_path(cpu.LEVELS["avx2"]))
    if not real_path(cpu.LEVELS["avx2"]).exists():
        pytest.skip("there is no library for AVX2")
    path.write_bytes(b"not a library")
    assert features.cpuid(0, 0) == (0, 0, 0, 0)
    path.unlink()
    path.symlink_to(real_path(cpu.LEVELS["avx2"]))
    _, *vendor = features.cpuid(0, 0)
    assert struct.pack("<3I", *(vendor[i] for i in (0, 2, 1))).decode() in Path("/proc/cpuinfo").read_text()
    told = features._of_linux()
    said = {name for name, subleaf, register, bit in LEAF_7 if features.cpuid(7, subleaf)[register] >> bit & 1}
    assert said == {name for name, *_ in LEAF_7} & told


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """An empty folder in the place of the libraries'."""
    monkeypatch.setattr(library, "FOLDER", str(tmp_path))
    return tmp_path


def test_a_library_is_of_these_sources_and_this_python_or_is_not_taken(folder, monkeypatch):
    level = next(level for level in cpu.LEVELS.values() if level.machine)
    looked = f"looked in {folder} for kernels for {level.name}, .*: there are none"
    with pytest.raises(library.NoLibraryError, match=looked):
        library.load_library([level, cpu.LEVELS["any"]])
    (folder / f"{level.name}-0badc0de.so").touch()
    (folder / "other-0badc0de.so").touch()
    with pytest.raises(library.NoLibraryError, match=rf"of other sources: {level.name}-0badc0de\.so$"):
        library.load_library([level])
    (folder / f"{level.name}-0badc0de.so").unlink()
    with pytest.raises(library.NoLibraryError, match=r"there are only other-0badc0de\.so$"):
        library.load_library([level])
    Path(library.library_path(level)).write_bytes(b"not a library")
    with pytest.raises(library.NoLibraryError, match=re.escape(library.library_path(level))):
        library.load_library([level])
    monkeypatch.setattr(arrays, "DATA", arrays.DATA + 8)
    with pytest.raises(library.NoLibraryError, match="this Python keeps NumPy arrays in another way"):
        library.load_library([level])


def test_a_lower_levels_library_is_taken_where_the_best_has_none(folder, monkeypatch):
    native = next((level for level in cpu.cpu_levels() if real_path(level).exists()), None)
    if native is None:
        pytest.skip("no library fits this machine")
    Path(library.library_path(native)).symlink_to(real_path(native))
    best = type("Better", (type(native),), {"name": "better"})()
    monkeypatch.setattr(backends, "cpu_levels", lambda: [best, native])
    assert load_ops("native").level == native
    assert re.fullmatch(f"{re.escape(library.library_path(native))}; looked in .* for kernels for better, .*",
                        backends.kernels_of("native"))


def real_path(level):
    return Path(stamp.FOLDER, Path(library.library_path(level)).name)


def test_where_no_library_fits_one_warning_says_why(folder):
    why = f"no kernels are ready for this CPU: looked in {folder} for kernels for "
    with pytest.warns(RuntimeWarning, match=why) as warned:
        ops = load_ops("auto")
    assert len(warned) == 1
    assert ops.name in ("numba", "numpy")
    assert ("numba compiles them" if ops.name == "numba" else "NumPy does their work") in str(warned[0].message)
    assert str(folder) in backends.kernels_of("numpy")
    with pytest.raises(ImportError, match=f"looked in {folder}"):
        load_ops("native")


def test_the_stamp_is_of_what_machine_code_depends_on(monkeypatch, tmp_path):
    package = tmp_path / "nerlite"
    shutil.copytree(ROOT / "nerlite" / "kernels", package / "kernels", ignore=shutil.ignore_patterns("libraries"))
    shutil.copytree(ROOT / "nerlite" / "ops", package / "ops", ignore=shutil.ignore_patterns("libraries"))
    names = runpy.run_path(str(package / "ops" / "stamp.py"))
    before = names["source_stamp"]()
    assert before == stamp.source_stamp()
    for path, matters in [*((package / "ops" / name, True) for name in names["SHARED"]),
                          *((path, path.name not in names["APART"]) for path in (package / "kernels").glob("*.py")),
                          (package / "ops" / "numpy_ops.py", False), (package / "ops" / "library.py", False)]:
        content = path.read_text(encoding="utf-8")
        path.write_text(content + "\n# changed\n", encoding="utf-8")
        assert (names["source_stamp"]() != before) == matters, path
        path.write_text(content, encoding="utf-8")
    # A build writes the stamp down; then no sources are read, and there need be none.
    (package / "ops" / "libraries").mkdir()
    (package / "ops" / "libraries" / "stamp").write_text("12345678\n")
    assert runpy.run_path(str(package / "ops" / "stamp.py"))["stamp"]() == "12345678"
    shutil.rmtree(package / "kernels")
    assert runpy.run_path(str(package / "ops" / "stamp.py"))["stamp"]() == "12345678"
    (package / "ops" / "libraries" / "stamp").unlink()
    assert runpy.run_path(str(package / "ops" / "stamp.py"))["stamp"]() == "unknown"


def test_a_package_of_bytecode_alone_runs_native_kernels(tmp_path):
    if load_ops("auto").name != "native":
        pytest.skip("no library fits this machine")
    package = tmp_path / "nerlite"
    shutil.copytree(ROOT / "nerlite", package, ignore=shutil.ignore_patterns("libraries", "__pycache__", "kernels"))
    (package / "ops" / "libraries").mkdir()
    level = load_ops("native").level
    shutil.copy(library.library_path(level), package / "ops" / "libraries")
    (package / "ops" / "libraries" / "stamp").write_text(stamp.stamp())
    compileall.compile_dir(package, quiet=2, legacy=True)
    for path in package.rglob("*.py"):
        path.unlink()
    (package / "models").symlink_to(ROOT / "weights")
    done = subprocess.run([sys.executable, "-c", "import nerlite; tagger = nerlite.load(); "
                           "print(nerlite.__file__, tagger.backend, tagger('My name is John.').entities[0].text)"],
                          cwd=tmp_path, capture_output=True, text=True, check=True,
                          env=os.environ | {"PYTHONPATH": str(tmp_path)})
    assert done.stdout.split() == [str(package / "__init__.pyc"), "native", "John"]
    assert done.stderr == ""


def test_machine_code_is_given_nothing_that_it_does_not_expect():
    try:
        kernels = library.load_library(cpu.cpu_levels())
    except library.NoLibraryError as error:
        pytest.skip(str(error))
    right = Viterbi.allocate(n=2, n_tags=2, n_offsets=2)
    right.offsets[:], right.emissions[:], right.transitions[:] = [0, 2], [[0, 3], [4, 0]], 0
    kernels.viterbi(right)
    assert right.path.tolist() == [1, 0]
    for other in (right.work, BestSpans.empty(), None, right.address):
        with pytest.raises(TypeError, match="viterbi: expected Viterbi, got "):
            kernels.viterbi(other)


@pytest.mark.parametrize(("name", "triple", "kind", "wanted", "absent"), [
    ("neon", "aarch64-unknown-linux-gnu", "FLOAT", r"\bfmla\s+v", r"\bfmul\s"),
    ("avxvnni", "x86_64-unknown-linux-gnu", "INT8", r"\{vex\}\s+vpdpbusd\s", r"zmm|vpmaddubsw"),
    ("avxvnni", "x86_64-unknown-linux-gnu", "SCORE", r"\{vex\}\s+vpdpbusd\s", r"zmm"),
    ("vnni", "x86_64-unknown-linux-gnu", "INT8", r"\bvpdpbusd\s.*zmm", r"vpmaddubsw"),
    ("vnni", "x86_64-unknown-linux-gnu", "MIX", r"\bvpdpbusd\s.*zmm", r"vpmaddwd"),
    ("avx2", "x86_64-unknown-linux-gnu", "SCORE", r"\bvpmaddwd\s", r"zmm|vpdpbusd"),
])
def test_tiles_of_every_level_compile_to_its_instructions(name, triple, kind, wanted, absent):
    """What may not run here is compiled here for its CPU, and its code read."""
    tiles, level = pytest.importorskip("nerlite.kernels.tiles"), cpu.LEVELS[name]
    n_rows = level.int8_rows if kind == "INT8" else level.rows
    code = compiled(level, triple, lambda emit, arguments: tiles.emit_tile(
        emit, level, getattr(tiles, kind), n_rows, level.n_vectors, tiles.Tile(*arguments), asks=level.asks_ahead))
    assert len(re.findall(wanted, code)) >= n_rows * level.n_vectors
    assert ("prefetch" in code or "prfm" in code) == level.asks_ahead
    assert not re.search(absent, code)
    assert not re.search(SPILLED, code)


def test_tiles_of_avx2_compile_to_its_instructions():
    tiles, level = pytest.importorskip("nerlite.kernels.tiles"), cpu.LEVELS["avx2"]
    code = compiled(level, "x86_64-unknown-linux-gnu", lambda emit, arguments: level.int8_tile(
        emit, level.int8_rows, level.n_vectors, tiles.Tile(*arguments)))
    n_sums, n_steps = level.int8_rows * level.n_vectors, level.stretch + 2
    counts = [len(re.findall(rf"\b{name}\s", code)) for name in ("vpmaddubsw", "vpaddw", "vpmaddwd", "vpaddd")]
    assert counts == [n_sums * n_steps, n_sums * (n_steps - 2), 2 * n_sums, 2 * n_sums]
    assert not re.search(r"zmm|vpdpbusd", code)
    assert not re.search(SPILLED, code)


@pytest.mark.parametrize(("name", "kind", "n_rows", "counts"), [
    ("neon", "int8", 6, {"sdot": 48 + 96}), ("neon", "int8", 5, {"sdot": 40 + 80}),
    ("i8mm", "int8", 6, {"smmla": 24 + 48}), ("i8mm", "int8", 5, {"smmla": 72}),
    ("neon", "narrow", 6, {"sdot": 48})])
def test_tiles_of_arm_compile_to_its_instructions(name, kind, n_rows, counts):
    tiles, level = pytest.importorskip("nerlite.kernels.tiles"), cpu.LEVELS[name]
    n_vectors = level.n_vectors if kind == "int8" else level.width // level.lanes
    code = compiled(level, "aarch64-unknown-linux-gnu", lambda emit, arguments: getattr(level, f"{kind}_tile")(
        emit, n_rows, n_vectors, tiles.Tile(*arguments)))
    assert {each: len(re.findall(rf"\b{each}\s+v", code)) for each in counts} == counts
    assert not re.search(r"\b(ext|dup)\s", code)
    assert not re.search(r"\bldr\s+q\d+, \[sp", code)  # no sum without a register


def test_tiles_of_amx_compile_to_its_instructions():
    tiles, level = pytest.importorskip("nerlite.kernels.tiles"), cpu.LEVELS["amx"]

    def emit_all(emit, arguments):
        level.begin_int8(emit, arguments[0])
        _, tile = level.whole_int8_tile(emit, arguments[0], tiles.Tile(*arguments))
        tile()
        level.end_int8(emit)

    code = compiled(level, "x86_64-unknown-linux-gnu", emit_all)
    names = ("ldtilecfg", "tilezero", "tdpbusd", "tilestored", "tilerelease")
    assert [len(re.findall(rf"\b{name}\b", code)) for name in names] == [1, 4, 4, 4, 1]
    assert "zmm" not in code


def compiled(level, triple, emit_all):
    """The assembly of what emit_all(emit, addresses) emits."""
    import llvmlite.binding as llvm
    from llvmlite import ir

    from nerlite.kernels.emit import Emit

    module = ir.Module()
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [ir.IntType(64)] * 9), "tile")
    builder = ir.IRBuilder(function.append_basic_block())
    emit_all(Emit(builder), function.args)
    builder.ret_void()
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    machine = llvm.Target.from_triple(triple).create_target_machine(
        cpu=level.llvm_cpu, features=level.llvm_features, opt=3, reloc="pic")
    return machine.emit_assembly(llvm.parse_assembly(str(module)))
