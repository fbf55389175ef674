"""What a frozen app that reads files takes: the formats, which are imported when a file has them."""

from PyInstaller.utils.hooks import collect_submodules

hiddenimports = collect_submodules("nerlite.io")
