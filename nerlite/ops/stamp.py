"""What names kernels that are compiled ahead of time: a checksum of the sources that their machine code depends on.

A checkout has the sources, and each change of them is a new name, so that no old library is loaded. A package that is
installed has the stamp of its build beside its libraries and needs no sources.
"""

from __future__ import annotations

import functools
import os
import zlib

_HERE = os.path.dirname(__file__)
FOLDER = os.path.join(_HERE, "libraries")
_WRITTEN = os.path.join(FOLDER, "stamp")
_KERNELS = os.path.join(os.path.dirname(_HERE), "kernels")
# What machine code depends on besides the files of the kernels' folder, and what in there it does not depend on.
SHARED = ("arguments.py", "arrays.py", "formulas.py", "levels/__init__.py", "levels/arm.py", "levels/base.py",
          "levels/x86.py", "records.py")
APART = ("notice.py",)


@functools.cache
def stamp() -> str:
    """Return the stamp of this package's kernels: the one that its build wrote, or else that of the sources here."""
    try:
        with open(_WRITTEN, encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return source_stamp()


def source_stamp() -> str:
    """Return a checksum of the sources; "unknown" where they are not there."""
    checksum = 0
    try:
        kernels = sorted(name for name in os.listdir(_KERNELS) if name.endswith(".py") and name not in APART)
        for folder, names in ((_KERNELS, kernels), (_HERE, SHARED)):
            for name in names:
                with open(os.path.join(folder, name), "rb") as file:
                    checksum = zlib.crc32(file.read(), checksum)
    except OSError:
        return "unknown"
    return f"{checksum:08x}"
