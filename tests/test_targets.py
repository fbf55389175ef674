"""Libraries for other systems: what they are, what they give and need, for those that are built here."""

import re
import sys
from pathlib import Path

import pytest

from nerlite.ops import cpu, library
from nerlite.ops.arguments import KERNELS

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tools"))
from targets import TARGETS  # noqa: E402

lief = pytest.importorskip("lief")
FORMATS = {".so": lief.Binary.FORMATS.ELF, ".dylib": lief.Binary.FORMATS.MACHO, ".dll": lief.Binary.FORMATS.PE}
BUILT = [pytest.param(target, level, path, id=f"{name}-{level.name}") for name, target in TARGETS.items()
         for level in cpu.LEVELS.values() if level.machine == target.machine
         and (path := Path(library.library_path(level, target.suffix))).exists()]


@pytest.mark.parametrize(("target", "level", "path"), BUILT)
def test_a_library_is_of_its_system_and_needs_little_of_it(target, level, path):
    binary = lief.parse(str(path))
    assert binary.format == FORMATS[target.suffix]
    assert re.search({"x86_64": "X86_64|AMD64", "aarch64": "ARM64|AARCH64"}[target.machine],
                     str(getattr(binary.header, "machine_type", None) or getattr(binary.header, "cpu_type", None)
                         or binary.header.machine))
    given = {function.name.removeprefix("_") for function in binary.exported_functions}
    assert {name for name in given if name.startswith("nerlite_")} == {f"nerlite_{name}"
                                                                       for name in (*KERNELS, *level.others)}
    libraries = {getattr(each, "name", each).lower() for each in binary.libraries} - {"@rpath/nerlite"}
    assert not [name for name in libraries if not name.startswith(tuple(target.libraries))]
    if target.may_need:  # Windows' C library is linked in part, and wants what it may of Windows
        needed = {function.name.removeprefix("_") for function in binary.imported_functions}
        needed -= {"_cxa_finalize", "_gmon_start__", "ITM_deregisterTMCloneTable", "ITM_registerTMCloneTable"}
        assert {name for name in needed if name != "dyld_stub_binder"} <= target.may_need
    if target.suffix == ".dylib" and target.machine == "aarch64":
        assert binary.has_code_signature  # without which arm64 runs nothing
    assert str(ROOT).encode() not in path.read_bytes()


def test_each_system_has_levels_and_a_tag_of_its_own():
    assert len({target.wheel for target in TARGETS.values()}) == len(TARGETS)
    assert len({target.triple for target in TARGETS.values()}) == len(TARGETS)
    for target in TARGETS.values():
        assert [level for level in cpu.LEVELS.values() if level.machine == target.machine]
