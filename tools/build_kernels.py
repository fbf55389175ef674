"""Compile all kernels ahead of time: one shared library for each level of CPU.

    python tools/build_kernels.py [--levels avx2 vnni]

They go to nerlite/ops/libraries/, named by level and by a checksum of the sources. A library needs no Python and no
other library than C's. Building takes numba and a C compiler (`cc`, or the package ziglang), which links.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import re
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

# What a library may ask of others: C's mathematics, memory, and threads that give way.
MAY_NEED = {"exp", "log", "memcpy", "memset", "memmove", "sched_yield", "clock_gettime"}


def build(levels: Sequence[str] = ()) -> list[Path]:
    """Build what is not there yet and return the libraries' paths.

    levels: names; "all" is each level of this kind of machine, and none is the best that this machine has itself.
    Raises RuntimeError, with what to do, where there is no linker, or a level cannot be built.
    """
    here = [level.name for level in cpu.LEVELS.values() if level.machine == platform.machine()]
    names = here if "all" in levels else list(levels) or [name for name in (cpu.cpu_level().name,) if name in here]
    paths = {name: Path(library.library_path(cpu.LEVELS[name])) for name in names}
    for name, path in paths.items():
        if not path.exists():
            _build_level(cpu.LEVELS[name], path)
            for old in path.parent.glob(f"{name}-*{path.suffix}"):
                if old != path:
                    old.unlink()
    return list(paths.values())


def linker() -> list[str]:
    """Return the command that links; raises RuntimeError where there is none."""
    if shutil.which("cc"):
        return ["cc"]
    if importlib.util.find_spec("ziglang"):
        return [sys.executable, "-m", "ziglang", "cc"]
    raise RuntimeError("expected a C compiler, cc, or the Python package ziglang to link kernels with; found neither")


def _build_level(level: cpu.Level, path: Path) -> None:
    """Compile a level's kernels, on all cores, and link them."""
    link, names = linker(), iter(KERNELS)  # what takes longest first; each name goes to one thread alone
    n = min(available_cores(), len(KERNELS))
    print(f"{level.name}: compiling {len(KERNELS)} kernels on {n} core{'s' if n > 1 else ''}", flush=True)
    path.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        def compile_some(_: int) -> None:
            # numba chooses its CPU when it is imported, so each level is compiled by processes of its own.
            environment = {"NUMBA_CPU_NAME": level.llvm_cpu, "NUMBA_CPU_FEATURES": level.llvm_features}
            with subprocess.Popen([sys.executable, __file__, "--child", level.name, folder], text=True,
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | environment) as child:
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
        subprocess.run([*link, "-shared", "-s", "-o", str(linked), *sorted(map(str, Path(folder).glob("*.o"))), "-lm"],
                       check=True)
        linked.replace(path)


def _compile_kernels(level: cpu.Level, folder: Path) -> None:
    """Compile for a level each kernel that standard input names, into the folder, and say when it is there."""
    cpu.cpu_level = lambda: level
    from nerlite.kernels import jit

    if level is not jit.LEVEL:
        raise RuntimeError(f"expected numba to compile for {level.name}, got {jit.LEVEL.name}")
    from nerlite.kernels.ahead import object_file

    for line in sys.stdin:
        name = line.strip()
        Path(folder, f"{name}.o").write_bytes(object_file(name))
        print(name, flush=True)


def needs(path: Path) -> set[str]:
    """Return the names that a library wants of others, by `nm`."""
    listing = subprocess.run(["nm", "-D", "--undefined-only", path], capture_output=True, text=True, check=True).stdout
    return {re.sub("@.*", "", line.split()[-1]) for line in listing.splitlines() if " w " not in line}


def main() -> None:
    """Build the levels that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--levels", nargs="+", choices=["all", *cpu.LEVELS], default=[], metavar="LEVEL",
                        help=f"of {', '.join(cpu.LEVELS)}, or all of this kind of machine; default: this machine's own")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        _compile_kernels(cpu.LEVELS[options.child[0]], Path(options.child[1]))
        return
    try:
        paths = build(options.levels)
    except (OSError, RuntimeError, subprocess.CalledProcessError) as error:
        sys.exit(f"build_kernels: {error}")
    for path in paths:
        print(f"{path.relative_to(ROOT)}  {path.stat().st_size // 1024} KB")
    if not paths:
        print("no kernels are made for this kind of CPU; numba compiles plain loops when they are first called")


if __name__ == "__main__":
    main()
