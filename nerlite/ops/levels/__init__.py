"""The kinds of CPU that kernels are compiled for: one class each, with its sizes and its instructions.

What emits instructions is given a `nerlite.kernels.emit.Emit`, and called only where kernels are compiled. To add a
level is to add a class beside the others of its machine, and to name it in `LEVELS`.
"""

from __future__ import annotations

from nerlite.ops.levels.arm import I8MM, Neon
from nerlite.ops.levels.base import Level
from nerlite.ops.levels.x86 import AMX, AVX2, AVXVNNI, VNNI

__all__ = ["LEVELS", "Level"]

# From the least to the best of each machine.
LEVELS: dict[str, Level] = {level.name: level for level in (Level(), Neon(), I8MM(), AVX2(), AVXVNNI(), VNNI(),
                                                            AMX())}
