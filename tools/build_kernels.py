"""Compile all kernels ahead of time: one shared library for each level of this machine's kind of CPU.

    python tools/build_kernels.py [--levels avx2 vnni]

They go to nerlite/ops/libraries/, named by level and by a hash of the sources. A library needs no Python and no other
library than C's. Building takes numba and a C compiler (`cc`), which links.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
if "nerlite" not in sys.modules:
    # The kernels alone, without what the whole package imports: a build environment has numba and little else.
    package = types.ModuleType("nerlite")
    package.__path__ = [str(ROOT / "nerlite")]
    sys.modules["nerlite"] = package

from nerlite.ops import cpu, library  # noqa: E402

# What a library may ask of others: C's mathematics, memory, and threads that give way.
MAY_NEED = {"exp", "log", "memcpy", "memset", "memmove", "sched_yield", "clock_gettime"}


def build(levels: list[str] | None = None) -> list[Path]:
    """Build what is not there yet and return the libraries' paths; None builds each level of this kind of machine."""
    if shutil.which("cc") is None:
        raise RuntimeError("expected a C compiler, cc, to link with; found none")
    names = levels or [level.name for level in cpu.LEVELS.values() if level.machine == platform.machine()]
    paths = {name: Path(library.library_path(cpu.LEVELS[name])) for name in names}
    children = {}
    for name, path in paths.items():
        if not path.exists():
            # numba chooses its CPU when it is imported, so each level is built by a process of its own.
            level = cpu.LEVELS[name]
            environment = {"NUMBA_CPU_NAME": level.llvm_cpu, "NUMBA_CPU_FEATURES": level.llvm_features}
            children[name] = subprocess.Popen([sys.executable, __file__, "--child", name],
                                              env=os.environ | environment)
    failed = [name for name, child in children.items() if child.wait()]
    if failed:
        raise RuntimeError(f"{', '.join(failed)}: not built")
    for name in children:
        for old in Path(library.FOLDER).glob(f"{name}-*.so"):
            if old != paths[name]:
                old.unlink()
    return list(paths.values())


def _build_level(level: cpu.Level) -> None:
    """Compile and link the library of one level."""
    import llvmlite.binding as llvm
    from numba.core.registry import cpu_target

    cpu.cpu_level = lambda: level
    from nerlite.kernels import jit

    if level != jit.LEVEL:
        raise RuntimeError(f"expected numba to compile for {level.name}, got {jit.LEVEL.name}")
    triple, llvm_cpu, features = cpu_target.target_context.codegen().magic_tuple()
    machine = llvm.Target.from_triple(triple).create_target_machine(
        cpu=llvm_cpu, features=features, opt=3, reloc="pic", codemodel="default")
    path = Path(library.library_path(level))
    path.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        objects = []
        for name, module in _modules(machine):
            file = Path(folder, f"{name}.o")
            file.write_bytes(machine.emit_object(module))
            objects.append(str(file))
        linked = Path(folder, path.name)
        subprocess.run(["cc", "-shared", "-s", "-o", str(linked), *objects, "-lm"], check=True)
        linked.replace(path)


def _modules(machine: Any) -> Iterator[tuple[str, Any]]:
    """Yield each kernel's name and its LLVM module, whose one public function is nerlite_NAME."""
    import llvmlite.binding as llvm
    from numba import njit
    from numba import types as numba_types

    from nerlite.kernels import entries as kernels
    from nerlite.kernels.objects import reader
    from nerlite.ops.signatures import SIGNATURES

    for name, parameters in SIGNATURES.items():
        scope: dict[str, Any] = {f"read{i}": reader(dtype, n, i) for i, (_, dtype, n) in enumerate(parameters)}
        scope["kernel"] = getattr(kernels, name)
        exec(f"def entry(words):\n    kernel({', '.join(f'read{i}(words)' for i in range(len(parameters)))})", scope)
        kinds = (numba_types.voidptr,)
        entry = njit(kinds, error_model="numpy", _nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True)(
            scope["entry"]).overloads[kinds]
        # numba's own convention has two more arguments, for a result and an exception; kernels have neither.
        inner = (f"i32 @{entry.fndesc.llvm_func_name}(i8** %result, {{i8*, i32, i8*, i8*, i32}}** %exception, "
                 "i8* %words)")
        module = llvm.parse_assembly(entry.library.get_llvm_str())
        for function in module.functions:
            if not function.is_declaration:
                function.linkage = "internal"
        for variable in module.global_variables:
            if not variable.is_declaration:
                variable.linkage = "internal"
        native = module.get_function(entry.fndesc.llvm_func_name)
        native.linkage = "external"
        module.link_in(llvm.parse_assembly(
            f"declare {inner}\ndefine void @nerlite_{name}(i8* %words) {{\n"
            "  %result = alloca i8*\n  %exception = alloca {i8*, i32, i8*, i8*, i32}*\n"
            f"  call {inner}\n  ret void\n}}"))
        native.linkage = "internal"
        passes = llvm.create_new_module_pass_manager()
        passes.add_global_dead_code_eliminate_pass()
        passes.run(module, llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options()))
        yield name, module


def needs(path: Path) -> set[str]:
    """Return the names that a library wants of others, by `nm`."""
    listing = subprocess.run(["nm", "-D", "--undefined-only", path], capture_output=True, text=True, check=True).stdout
    return {re.sub("@.*", "", line.split()[-1]) for line in listing.splitlines() if " w " not in line}


def main() -> None:
    """Build the levels that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--levels", nargs="+", choices=list(cpu.LEVELS), help="default: all of this kind of machine")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        _build_level(cpu.LEVELS[options.child])
        return
    try:
        paths = build(options.levels)
    except (OSError, RuntimeError) as error:
        sys.exit(f"build_kernels: {error}")
    for path in paths:
        print(f"{path.relative_to(ROOT)}  {path.stat().st_size // 1024} KB")


if __name__ == "__main__":
    main()
