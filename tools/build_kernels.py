"""Compile all kernels ahead of time: one shared library for each level of CPU.

    python tools/build_kernels.py [--levels avx2 vnni] [--target linux-aarch64 windows-x86_64]

They go to nerlite/ops/libraries/, named by level and by a checksum of the sources. A library needs no Python and no
other library than C's. Building takes numba and a C compiler (`cc`, or the package ziglang), which links. For other
systems than this one, and for all of a system's kind whatever its age, ziglang links.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if "nerlite" not in sys.modules:
    # The kernels alone, without what the whole package imports: a build environment has numba and little else.
    package = types.ModuleType("nerlite")
    package.__path__ = [str(ROOT / "nerlite")]
    sys.modules["nerlite"] = package

from nerlite.cores import available_cores  # noqa: E402
from nerlite.ops import cpu, library  # noqa: E402
from nerlite.ops.arguments import KERNELS  # noqa: E402
from nerlite.ops.features import machine  # noqa: E402

sys.path.insert(0, str(ROOT / "tools"))
from targets import TARGETS, Target  # noqa: E402


def build(levels: Sequence[str] = (), target: Target | None = None) -> list[Path]:
    """Build what is not there yet and return the libraries' paths.

    levels: names; "all" is each level of the target's kind of machine, and none is the best that this machine has
    itself, or of another target all. target: None is a machine like this one.
    Raises RuntimeError, with what to do, where there is no linker, or a level cannot be built.
    """
    kind, lacks = (target.machine, target.lacks) if target else (machine(), frozenset())
    all_levels = [level.name for level in cpu.LEVELS.values() if level.machine == kind and level.name not in lacks]
    names = [name for name in levels if name != "all"] or [cpu.cpu_level().name]
    if "all" in levels or (target and not levels):
        names = all_levels
    suffix = target.suffix if target else library.SUFFIX
    paths = {name: Path(library.library_path(cpu.LEVELS[name], suffix)) for name in names if name in all_levels}
    for name, path in paths.items():
        if not path.exists():
            _build_level(cpu.LEVELS[name], target, path)
            for old in path.parent.glob(f"{name}-*{path.suffix}"):
                if old != path:
                    old.unlink()
    return list(paths.values())


def linker(target: Target | None = None) -> list[str]:
    """Return the command that links a library for a target; raises RuntimeError where there is none."""
    zig = [sys.executable, "-m", "ziglang", "cc"] if importlib.util.find_spec("ziglang") else []
    if target is None:
        if command := ["cc"] if shutil.which("cc") else zig:
            return [*command, "-shared", "-s"]
        raise RuntimeError("expected a C compiler, cc, or the Python package ziglang to link kernels with; "
                           "found neither")
    if not zig:
        raise RuntimeError(f"expected the Python package ziglang, which links for {target.zig}; it is not installed")
    # A library for macOS names itself, by the path where it was made if by nothing else.
    itself = ["-Wl,-install_name,@rpath/nerlite"] if target.suffix == ".dylib" else []
    return [*zig, "-target", target.zig, "-shared", "-s", *itself]


def _build_level(level: cpu.Level, target: Target | None, path: Path) -> None:
    """Compile a level's kernels, on all cores, and link them."""
    # What takes longest first; each name goes to one thread alone.
    link, names = linker(target), iter([*KERNELS, *level.others])
    n = min(available_cores(), len(KERNELS))
    where = f" for {target.zig}" if target else ""
    print(f"{level.name}{where}: compiling {len(KERNELS)} kernels on {n} core{'s' if n > 1 else ''}", flush=True)
    path.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        def compile_some(_: int) -> None:
            # numba chooses its CPU when it is imported, so each level is compiled by processes of its own.
            environment = {"NUMBA_CPU_NAME": level.llvm_cpu, "NUMBA_CPU_FEATURES": level.llvm_features}
            child_of = ["--child", level.name, folder, *(name for name in TARGETS if TARGETS[name] is target)]
            with subprocess.Popen([sys.executable, __file__, *child_of], text=True, stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, env=os.environ | environment) as child:
                assert child.stdin
                assert child.stdout
                for name in names:
                    start = time.perf_counter()
                    print(name, file=child.stdin, flush=True)
                    if child.stdout.readline() != f"{name}\n":
                        raise RuntimeError(f"{level.name}: {name} was not compiled")
                    print(f"  {name:<12} {time.perf_counter() - start:5.1f} s", flush=True)

        with ThreadPoolExecutor(n) as pool:
            list(pool.map(compile_some, range(n)))
        linked = Path(folder, path.name)
        subprocess.run([*link, "-o", str(linked), *sorted(map(str, Path(folder).glob("*.o"))), "-lm"], check=True)
        linked.replace(path)


def _compile_kernels(level: cpu.Level, folder: Path, target: Target | None = None) -> None:
    """Compile for a level each kernel that standard input names, into the folder, and say when it is there."""
    if target:
        import llvmlite.binding as llvm

        llvm.initialize_all_targets()
        llvm.initialize_all_asmprinters()
        # What numba and the kernels ask of this machine while they are compiled is answered for the other one.
        llvm.get_process_triple = llvm.get_default_triple = lambda: target.elf_triple
        time.CLOCK_MONOTONIC = target.clock  # type: ignore[misc]
    cpu.cpu_level = lambda: level
    from nerlite.kernels import jit

    if level is not jit.LEVEL:
        raise RuntimeError(f"expected numba to compile for {level.name}, got {jit.LEVEL.name}")
    from nerlite.kernels.ahead import object_file

    for line in sys.stdin:
        name = line.strip()
        Path(folder, f"{name}.o").write_bytes(object_file(name, target.triple if target else ""))
        print(name, flush=True)


def main() -> None:
    """Build the levels that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--levels", nargs="+", choices=["all", *cpu.LEVELS], default=[], metavar="LEVEL",
                        help=f"of {', '.join(cpu.LEVELS)}, or all of this kind of machine; default: this machine's own")
    parser.add_argument("--target", nargs="+", choices=TARGETS, default=[], metavar="SYSTEM",
                        help=f"of {', '.join(TARGETS)}: all their levels, if --levels names none; default: this system")
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        level, folder, *target = options.child
        _compile_kernels(cpu.LEVELS[level], Path(folder), *(TARGETS[name] for name in target))
        return
    try:
        paths = [path for target in [TARGETS[name] for name in options.target] or [None]
                 for path in build(options.levels, target)]
    except (OSError, RuntimeError, subprocess.CalledProcessError) as error:
        sys.exit(f"build_kernels: {error}")
    for path in paths:
        print(f"{path.relative_to(ROOT)}  {path.stat().st_size // 1024} KB")
    if not paths:
        print("no kernels are made for such a CPU; numba compiles plain loops when they are first called")


if __name__ == "__main__":
    main()
