"""How pip and `python -m build` make a wheel: hatchling does, with the kernels compiled by this file's hook.

A wheel has the kernels of the machine that builds it. NERLITE_BUILD_LEVELS names other levels, "all" of them for a
release, or "none"; NERLITE_BUILD_TARGET another system of those in `tools/targets.py`. An editable install compiles
nothing: `python tools/build_kernels.py` does, and says how far it is.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import runpy
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from hatchling import build as hatchling
from hatchling.build import (
    build_editable,
    build_sdist,
    build_wheel,
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
)
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

__all__ = ["KernelsHook", "build_editable", "build_sdist", "build_wheel", "get_requires_for_build_editable",
           "get_requires_for_build_sdist", "get_requires_for_build_wheel"]
LEVELS = os.environ.get("NERLITE_BUILD_LEVELS", "").replace(",", " ").split()
TARGET = os.environ.get("NERLITE_BUILD_TARGET", "")
MODEL = ("README.md", "config.json", "model.safetensors", "tokenizer.json")


def get_requires_for_build_wheel(config_settings: dict[str, Any] | None = None) -> list[str]:
    """Return what a wheel is built with: numba compiles; without a C compiler, and for other systems, ziglang links."""
    needed = hatchling.get_requires_for_build_wheel(config_settings)
    if LEVELS != ["none"]:
        project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
        needed += [each for each in project["dependencies"] if re.match(r"numba\b", each)]
        needed += ["ziglang>=0.13"] if TARGET or not shutil.which("cc") else []
    return needed


def model_files(folder: Path) -> list[Path]:
    """Return the files of the models in a folder, and nothing else that lies there; RuntimeError where there is none.

    A model is what has all of its files, and no name that something half-written has.
    """
    models = [[model / name for name in MODEL] for model in sorted(folder.iterdir())
              if not model.name.startswith(".") and model.suffix != ".partial"]
    if not (files := [path for each in models if all(path.is_file() for path in each) for path in each]):
        raise RuntimeError(f"{folder}: expected a model, a folder with {', '.join(MODEL)}; found none")
    return files


class KernelsHook(BuildHookInterface):  # type: ignore[type-arg]
    """Compiles the kernels, and writes down of which sources they are; takes the models' own files along."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and name the wheel for the platform whose libraries it ships."""
        if version == "editable":
            return
        # A checkout keeps its models in weights/; an installed package has them beside its code.
        to = "weights" if self.target_name == "sdist" else "nerlite/models"
        build_data["force_include"] |= {str(path): f"{to}/{path.parent.name}/{path.name}"
                                        for path in model_files(Path(self.root, "weights"))}
        if self.target_name == "sdist":
            return
        self._folder = tempfile.TemporaryDirectory()
        stamp = Path(self._folder.name, "stamp")
        stamp.write_text(runpy.run_path(str(Path(self.root, "nerlite", "ops", "stamp.py")))["source_stamp"]() + "\n")
        build_data["force_include"][str(stamp)] = "nerlite/ops/libraries/stamp"
        if libraries := self._libraries():
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{self._platform(libraries)}"
            build_data["artifacts"] += libraries

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was made for the build alone."""
        if version != "editable" and self.target_name == "wheel":
            self._folder.cleanup()

    def _platform(self, libraries: list[str]) -> str:
        """Return the tag of machines that these libraries run on: with glibc, by the newest names that they want of it.

        Source: PEP 600.
        """
        from packaging.tags import platform_tags

        if TARGET:
            return str(runpy.run_path(str(Path(self.root, "tools", "targets.py")))["TARGETS"][TARGET].wheel)
        wanted = {int(minor) for path in libraries
                  for minor in re.findall(rb"\0GLIBC_2\.(\d+)", Path(self.root, path).read_bytes())}
        return f"manylinux_2_{max(17, *wanted)}_{platform.machine()}" if wanted else next(platform_tags())

    def _libraries(self) -> list[str]:
        """Return the libraries' paths from the root."""
        if LEVELS == ["none"]:
            return []
        has_linker = importlib.util.find_spec("ziglang") or (shutil.which("cc") and not TARGET)
        if not (importlib.util.find_spec("numba") and has_linker):
            self.app.display_warning("no numba, or no C compiler: this wheel has no kernels, so that numba compiles "
                                     "them when they are first called, or NumPy does their work")
            return []
        command = [sys.executable, str(Path(self.root, "tools", "build_kernels.py"))]
        command += ["--levels", *LEVELS] if LEVELS else []
        command += ["--target", TARGET] if TARGET else []
        done = subprocess.run(command, cwd=self.root, stdout=subprocess.PIPE, text=True, check=True)
        return re.findall(r"^(nerlite\S+)  \d+ KB$", done.stdout, re.MULTILINE)
