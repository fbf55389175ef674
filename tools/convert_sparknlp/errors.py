"""The one error of this package."""


class ConversionError(ValueError):
    """A saved model that cannot be converted; the message names the file and says what is wrong with it."""
