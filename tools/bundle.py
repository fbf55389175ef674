"""Collect everything that a serverless function needs to tag in one folder: no Numba, and no cache to write.

Command: python tools/bundle.py DIR

DIR is to be on the function's Python path. It is for the version of Python that runs this tool; pip must be able to
reach a package index.
"""

from __future__ import annotations

import argparse
import compileall
import os
import py_compile
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# What a function never runs. Tests, stubs and what compilers read are imported by nothing else in these packages.
DROPPED = (
    "bin",  # commands; their first lines name the Python of this machine
    "**/*.pyi",
    "numpy/**/tests",
    "numpy/f2py",
    "numpy/distutils",
    "numpy/*core/include",
    "nerlite/kernels",  # what the libraries beside it were compiled from
    "*.dist-info/RECORD",  # lists what is dropped here; versions and licences beside it stay
    "*.dist-info/direct_url.json",  # the path of this checkout
)


def bundle(destination: Path, platforms: Sequence[str] = ()) -> dict[str, int]:
    """Install nerlite with its model and what it imports, but for Numba, into destination.

    destination: absent, or an empty folder; its parents are made.
    platforms: pip's tags of the machine that will run it; none for one like this.

    Everything is made in a temporary sibling of destination that then takes its name. Returns how many bytes each
    part weighs. Raises FileExistsError for a destination in use, `subprocess.CalledProcessError` where pip fails, which
    has then said why on standard error, and OSError where the disk refuses; none of them leaves a part of it behind.
    """
    destination = destination.resolve()
    if destination.exists() and not (destination.is_dir() and not any(destination.iterdir())):
        raise FileExistsError(f"{destination}: expected a folder that does not exist or is empty; nothing was written")
    destination.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=destination.parent, prefix=".partial-") as staging:
        folder = Path(staging) / destination.name
        folder.mkdir()
        # Wheels only: what is compiled here may need libraries of this machine.
        tags = [f"--platform={platform}" for platform in platforms]
        _pip_install(folder, "--only-binary=:all:", *tags, *requirements())
        # The machine that will run it may have another CPU than this one.
        _pip_install(folder, str(ROOT), **kernels_for(platforms))
        for pattern in DROPPED:
            for path in list(folder.glob(pattern)):
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)  # it may have gone with a folder around it
        # Where the folder is read-only, modules without bytecode are compiled again at each start. Bytecode that is
        # checked against its source's time is stale once a zip has rounded that time, so this one is not checked.
        compileall.compile_dir(folder, quiet=2, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
        parts = weigh(folder)
        folder.replace(destination)
    return parts


def kernels_for(platforms: Sequence[str]) -> dict[str, str]:
    """Return the environment in which pip builds kernels for these platforms, or none where none fit."""
    if not platforms:
        return {"NERLITE_BUILD_LEVELS": "all"}
    machines = {match[1] for match in (re.fullmatch(r"(?:manylinux|linux)\w*?_(x86_64|aarch64)", each)
                                       for each in platforms) if match}
    if len(machines) != 1:
        return {"NERLITE_BUILD_LEVELS": "none"}
    return {"NERLITE_BUILD_LEVELS": "all", "NERLITE_BUILD_TARGET": f"linux-{machines.pop()}"}


def requirements() -> list[str]:
    """Return what pyproject.toml says that nerlite depends on, without Numba, as pip reads it.

    They are installed without what they depend on in turn: NumPy and safetensors need nothing, and tokenizers needs
    its huggingface-hub only to download, which nerlite never does.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [each for each in project["dependencies"] if not re.match(r"numba\b", each)]


def weigh(folder: Path) -> dict[str, int]:
    """Return the bytes of each package with its libraries and metadata, and those of the models on their own."""
    parts: Counter[str] = Counter()
    for path in folder.rglob("*"):
        if path.is_file():
            top, *below = path.relative_to(folder).parts
            package = re.split("[-.]", top)[0]  # numpy, numpy.libs and numpy-2.0.0.dist-info are one part
            is_model = (top, *below[:1]) == ("nerlite", "models")
            parts[f"{package}/models" if is_model else package] += path.stat().st_size
    return dict(parts)


def _pip_install(folder: Path, *arguments: str, **environment: str) -> None:
    subprocess.run([sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "-qq", "--no-compile",
                    "--no-deps", "--target", str(folder), *arguments], check=True, env=os.environ | environment)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status: 0, or 2 after a printed error."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("destination", type=Path, metavar="DIR", help="folder to write; absent or empty")
    parser.add_argument("--platform", action="append", default=[], dest="platforms", metavar="TAG",
                        help="pip's name for the machine that will run it, such as manylinux_2_28_aarch64; "
                             "repeat it for each older tag that will do too, as pip takes only those that are named "
                             "(default: a machine like this)")
    try:
        parts = bundle(**vars(parser.parse_args(arguments)))
    except subprocess.CalledProcessError as error:
        print(f"bundle: pip failed with exit status {error.returncode}; nothing was written", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"bundle: {error}", file=sys.stderr)
        return 2
    for part, size in sorted(parts.items(), key=lambda item: -item[1]):
        print(f"{size / 1e6:6.1f} MB  {part}")
    print(f"{sum(parts.values()) / 1e6:6.1f} MB  in all")
    return 0


if __name__ == "__main__":
    sys.exit(main())
