"""Where Java counts, classes and prints otherwise than Python does."""

from __future__ import annotations

import numpy as np

# Parts of regular expressions' character classes.
WHITESPACE = "\t-\r\x1c- \u1680\u2000-\u2006\u2008-\u200a\u2028\u2029\u205f\u3000"  # Character.isWhitespace
ISO_CONTROL = "\0-\x1f\x7f-\x9f"  # Character.isISOControl
REGEX_SPACE = "\t-\r "  # \s of java.util.regex


def utf16_length(text: str) -> int:
    """Return a string's length in UTF-16 units, String.length()."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def utf16_positions(text: str, positions: np.ndarray) -> np.ndarray:
    """Turn positions in a text from code points into UTF-16 units; both integer arrays of any one shape."""
    if text.isascii():
        return positions
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
    extra = np.zeros(len(codes) + 1, np.int64)
    np.cumsum(codes > 0xFFFF, out=extra[1:])
    moved: np.ndarray = positions + extra[positions]
    return moved


def float_to_string(value: np.float32) -> str:
    """Print a finite float as Float.toString does: 0.9998, 1.0, 1.0E-4."""
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return np.format_float_positional(value, unique=True, trim="0")
    return np.format_float_scientific(value, unique=True, trim="0", exp_digits=1).replace("e+", "e").replace("e", "E")
