"""The wheel's build hook: compile the kernels, if that can be done here, and ship them."""

from __future__ import annotations

import runpy
import shutil
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging.tags import platform_tags


class KernelsHook(BuildHookInterface):  # type: ignore[type-arg]
    """Build the libraries of this machine's kind of CPU; without a C compiler the wheel has none, and any machine."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and name the wheel for the platform whose libraries it ships."""
        if shutil.which("cc") is None:
            self.app.display_warning("no C compiler (cc): kernels will be compiled by numba when first called")
            return
        libraries = runpy.run_path(str(Path(self.root, "tools", "build_kernels.py")))["build"]()
        if libraries:
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{next(platform_tags())}"
            build_data["artifacts"] += [str(path.relative_to(self.root)) for path in libraries]
