"""Kernels as object files, which need no numba to run and no Python: what libraries are linked from."""

from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm
from numba import njit, types
from numba.core.registry import cpu_target

from nerlite.kernels.entries import entry_point
from nerlite.kernels.jit import PART, PartCompiler

# What libraries have besides kernels. nerlite_cpuid takes the address of EAX, EBX, ECX and EDX, and leaves the answer
# there: a process that has no compiler can ask its CPU.
_REGISTERS = "{i32, i32, i32, i32}"
_OTHERS = {"cpuid": f"""define void @nerlite_cpuid(i64 %address) {{
  %place = inttoptr i64 %address to {_REGISTERS}*
  %asked = load {_REGISTERS}, {_REGISTERS}* %place, align 4
  %leaf = extractvalue {_REGISTERS} %asked, 0
  %subleaf = extractvalue {_REGISTERS} %asked, 2
  %answer = call {_REGISTERS} asm sideeffect "cpuid", "={{ax}},={{bx}},={{cx}},={{dx}},{{ax}},{{cx}}"(
    i32 %leaf, i32 %subleaf)
  store {_REGISTERS} %answer, {_REGISTERS}* %place, align 4
  ret void
}}"""}


def object_file(name: str, triple: str = "") -> bytes:
    """Return a kernel, or another function, compiled for `jit.LEVEL`: an object file that gives nerlite_NAME alone.

    triple: LLVM's name of the system it is for, with the kind of CPU that numba compiles for; "" is this one.
    A kernel takes the address of a record's words. Nothing is optimised before it is part of the whole, and that once.
    """
    machine = _machine(triple)
    module = llvm.parse_assembly(_OTHERS[name]) if name in _OTHERS else _module(name)
    module.triple, module.data_layout = machine.triple, str(machine.target_data)
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = True
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    code: bytes = machine.emit_object(module)
    return code


def _machine(triple: str) -> Any:
    own, cpu, features = cpu_target.target_context.codegen().magic_tuple()
    return llvm.Target.from_triple(triple or own).create_target_machine(
        cpu=cpu, features=features, opt=3, reloc="pic", codemodel="default")


def _module(name: str) -> Any:
    """Return the LLVM code of a kernel and all that it calls."""
    kinds = (types.intp,)
    entry = njit(kinds, pipeline_class=PartCompiler, **PART)(entry_point(name)).overloads[kinds]
    module = llvm.parse_bitcode(entry.library._final_module.as_bitcode())
    # numba's own convention has two more arguments, for a result and an exception; kernels have neither.
    inner = (f"i32 @{entry.fndesc.llvm_func_name}(i8** %result, {{i8*, i32, i8*, i8*, i32}}** %exception, "
             "i64 %words)")
    for each in (*module.functions, *module.global_variables):
        if not each.is_declaration and each.name != entry.fndesc.llvm_func_name:
            each.linkage = "internal"
    module.link_in(llvm.parse_assembly(
        f"declare {inner}\ndefine void @nerlite_{name}(i64 %words) {{\n"
        "  %result = alloca i8*\n  %exception = alloca {i8*, i32, i8*, i8*, i32}*\n"
        f"  call {inner}\n  ret void\n}}"))
    module.get_function(entry.fndesc.llvm_func_name).linkage = "internal"
    return module
