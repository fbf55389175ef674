"""What a frozen app with nerlite's command line takes: the commands, which are imported when they are chosen."""

from PyInstaller.utils.hooks import collect_submodules

hiddenimports = collect_submodules("nerlite.cli")
