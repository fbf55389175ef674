"""Set up an ARM machine to test on, emulated by qemu: Debian's Python and PyPI's wheels for it, in one folder.

    python tools/arm_machine.py DIR [PACKAGE ...]

It takes apt-get and dpkg-deb (Debian's or Ubuntu's) and no privilege: nothing is installed on this machine. DIR/python
is then that Python, with NumPy, tokenizers, safetensors and the other packages that are named. Its CPU is Graviton 2's,
or the one that QEMU_CPU names: "max,sve=off" has products of int8 matrices besides.
"""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import sys
from pathlib import Path

CPU = "neoverse-n1"  # Graviton 2's
# What Python itself takes, its modules, and NumPy's wheel.
DEBIAN = ("libc6", "libgcc-s1", "libstdc++6", "zlib1g", "libexpat1", "libffi8", "libssl3", "libbz2-1.0", "liblzma5",
          "libcrypt1", "libuuid1")
REQUIRED = ("numpy", "tokenizers", "safetensors")


def set_up(folder: Path, packages: list[str]) -> Path:
    """Make what is not there yet of the machine in a folder, and return the path of its Python."""
    folder = folder.resolve()
    root, python = folder / "root", folder / "python"
    (folder / "packages").mkdir(parents=True, exist_ok=True)
    if not root.exists():
        apt = _apt(folder)
        subprocess.run([*apt, "update", "-qq"], check=True)
        names = subprocess.run(["apt-cache", *apt[1:], "depends", "python3-minimal:arm64"], check=True,
                               capture_output=True, text=True).stdout
        version = re.findall(r"Depends: python(3\.\d+)-minimal", names)[0]
        wanted = [f"{name}:arm64" for name in (f"python{version}-minimal", f"libpython{version}-minimal",
                                               f"libpython{version}-stdlib", *DEBIAN)]
        subprocess.run([*apt, "download", "-qq", *wanted, "qemu-user-static"], cwd=folder / "packages", check=True)
        for package in sorted((folder / "packages").glob("*.deb")):
            place = folder / "qemu" if package.name.startswith("qemu") else folder / "root.partial"
            subprocess.run(["dpkg-deb", "--extract", package, place], check=True)
        (folder / "root.partial").rename(root)
    version = next(root.glob("usr/bin/python3.*")).name.removeprefix("python")
    command = [folder / "qemu/usr/bin/qemu-aarch64-static", "-L", root, root / f"usr/bin/python{version}"]
    python.write_text(f'#!/bin/sh\nPYTHONPATH={shlex.quote(str(folder / "site"))}:$PYTHONPATH '
                      f'QEMU_CPU=${{QEMU_CPU:-{CPU}}} exec {shlex.join(map(str, command))} "$@"\n')
    python.chmod(0o755)
    platforms = [f"--platform={tag}_aarch64" for tag in ("manylinux_2_28", "manylinux2014")]
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--upgrade",
                    "--target", folder / "site", "--only-binary=:all:", *platforms, f"--python-version={version}",
                    *REQUIRED, *packages], check=True)
    return python


def _apt(folder: Path) -> list[str]:
    """Return apt-get with lists and a cache of its own, for both kinds of machine."""
    options = {"Dir::State::Lists": folder / "lists", "Dir::Cache": folder / "cache", "APT::Sandbox::User": "",
               "Dir::State::status": "/dev/null"}
    for path in (folder / "lists" / "partial", folder / "cache" / "archives" / "partial"):
        path.mkdir(parents=True, exist_ok=True)
    return ["apt-get", *(f"-o{name}={value}" for name, value in options.items()), "-oAPT::Architectures::=arm64",
            "-oAPT::Architectures::=amd64"]


def main() -> None:
    """Set up the machine that the command line names."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("packages", nargs="*", metavar="PACKAGE", help="more of PyPI's")
    options = parser.parse_args()
    try:
        print(set_up(options.folder, options.packages))
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"arm_machine: {error}")


if __name__ == "__main__":
    main()
