"""What a frozen app that reads files takes: the formats, which are imported when a file has them."""

from nerlite.io import READERS, WRITERS

hiddenimports = sorted({f"nerlite.io.{name}" for name in (*READERS, *WRITERS)})
