"""Make a release: a wheel for each system, with all kernels for it, and the source distribution.

    python tools/build_wheels.py DIR [--target linux-x86_64 windows-x86_64]

It takes hatchling, numba and ziglang (`pip install '.[release]'`), and can run on any of the systems.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from targets import TARGETS

ROOT = Path(__file__).resolve().parent.parent
CODE = "import sys; sys.path.insert(0, 'tools'); import hatch_build; print(hatch_build.{}(sys.argv[1]))"


def build(folder: Path, targets: list[str]) -> list[Path]:
    """Build into a folder, and return the paths: of the source distribution first."""
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [("build_sdist", {}), *(("build_wheel", {"NERLITE_BUILD_TARGET": name}) for name in targets)]
    paths = []
    for function, environment in jobs:
        # The backend reads the environment when it is imported, so each target has a process of its own.
        done = subprocess.run([sys.executable, "-c", CODE.format(function), folder.resolve()], cwd=ROOT, text=True,
                              stdout=subprocess.PIPE, check=True,
                              env=os.environ | {"NERLITE_BUILD_LEVELS": "all", **environment})
        paths.append(folder / done.stdout.splitlines()[-1])
        print(f"{paths[-1]}  {paths[-1].stat().st_size / 1e6:.1f} MB", flush=True)
    return paths


def main() -> None:
    """Build what the command line names."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--target", nargs="+", choices=TARGETS, default=list(TARGETS), metavar="SYSTEM",
                        help=f"of {', '.join(TARGETS)}; default: all")
    options = parser.parse_args()
    try:
        build(options.folder, options.target)
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"build_wheels: {error}")


if __name__ == "__main__":
    main()
