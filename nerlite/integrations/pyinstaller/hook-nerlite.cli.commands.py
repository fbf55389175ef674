"""What a frozen app with nerlite's command line takes: the commands, which are imported when they are chosen."""

from nerlite.cli.commands import COMMANDS

hiddenimports = [f"nerlite.cli.{name}" for name in COMMANDS]
