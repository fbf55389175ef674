"""The one error of this package."""

from nerlite.errors import FileError


class ConversionError(FileError):
    """A saved model that cannot be converted; the message names the file and says what is wrong with it."""
