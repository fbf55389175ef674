"""The command line: a module a command."""

from nerlite.cli.main import main

__all__ = ["main"]
