"""Files that are not UTF-8, made UTF-8 while they are read."""

from __future__ import annotations

import codecs

from nerlite.errors import InputError, Place

_MARKS = ((codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
          (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


class ToUtf8:
    """Bytes of a file in any encoding → bytes in UTF-8, part by part."""

    def __init__(self, name: str, encoding: str | None) -> None:
        """name: the file's; encoding: None is UTF-8, or what the file's byte order mark says."""
        self._name, self._encoding, self._is_first = name, encoding, True
        self._decoder: codecs.IncrementalDecoder | None = None

    def __call__(self, data: bytes, *, final: bool = False) -> bytes:
        """Return the next part; final: whether it is the last. `InputError` where it is not in the encoding."""
        if self._is_first and data:
            self._is_first = False
            encoding = self._encoding or self._noticed(data)
            if encoding:
                self._encoding, self._decoder = encoding, codecs.getincrementaldecoder(encoding)()
        if self._decoder is None:
            return data
        try:
            return self._decoder.decode(data, final).encode("utf-8")
        except UnicodeError as error:
            raise InputError(f"not {self._encoding}: {error}", Place(self._name)) from None

    def _noticed(self, data: bytes) -> str | None:
        """Return the encoding that a byte order mark names; refuse UTF-16 without one, since either may be meant."""
        for mark, encoding in _MARKS:
            if data.startswith(mark):
                return encoding
        # Of a letter's two bytes one is at most 8 in alphabets from Latin to Arabic; of UTF-8 hardly any byte is.
        sample = data[:4096]
        low = [sum(byte <= 8 for byte in sample[first::2]) for first in (0, 1)]
        if len(sample) >= 8 and max(low) > len(sample) // 4 and 8 * min(low) < len(sample):
            encoding = "utf-16-be" if low[0] > low[1] else "utf-16-le"
            raise InputError(f"looks like UTF-16 without a byte order mark, which --encoding {encoding} reads",
                             Place(self._name))
        return None
