"""For PyInstaller, which finds `hook-nerlite.py` by an entry point."""

from __future__ import annotations

import os


def hook_dirs() -> list[str]:
    """Return the folders of hooks."""
    return [os.path.dirname(__file__)]
