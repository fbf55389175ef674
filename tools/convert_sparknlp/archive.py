"""Files of a saved model, from a folder or from zips that are unpacked with care."""

from __future__ import annotations

import errno
import shutil
import stat
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from .errors import ConversionError

# Far above what saved models have; a hostile archive must stay within them too.
MAX_MEMBERS = 10_000
MAX_DIRECTORY_BYTES = 4 << 20
MAX_UNPACKED_BYTES = 4 << 30
MAX_RATIO = 20  # of a whole archive, past what any may hold: weights hardly shrink, graphs and vocabularies do
FREE_BYTES = 64 << 20

_END = b"PK\5\6"
_ZIP64_LOCATOR = b"PK\6\7"


@dataclass(frozen=True)
class Folder:
    """A folder on disk; `shown` is how messages name it (a file inside a zip is at ZIP/PATH)."""

    path: Path
    shown: str

    def __truediv__(self, name: str) -> Folder:
        folder = Folder(self.path / name, f"{self.shown}/{name}")
        if folder.path.is_symlink():
            raise ConversionError(f"{folder.shown}: expected a folder, got a link")
        return folder

    def read(self, name: str, limit: int) -> bytes:
        """Return a file's bytes; `ConversionError` where it is absent, no plain file, or longer than limit bytes."""
        path = self.file(name)
        if (size := path.stat().st_size) > limit:
            raise ConversionError(f"{self.shown}/{name}: expected at most {limit:,} bytes, got {size:,}")
        try:
            return path.read_bytes()
        except OSError as error:
            raise ConversionError(f"{self.shown}/{name}: not readable: {error.strerror}") from None

    def file(self, name: str) -> Path:
        """Return the path of a plain file below this folder; no part of it may be a link."""
        path = self.path
        for part in name.split("/"):
            path = path / part
            if path.is_symlink():
                raise ConversionError(f"{self.shown}/{name}: expected a plain file, got a link")
        if not path.is_file():
            raise ConversionError(f"{self.shown}/{name}: no such file")
        return path

    def parts(self, name: str) -> list[str]:
        """Return the names NAME/part-00000, NAME/part-00001, … of a Spark output folder in order."""
        folder = (self / name).path
        found = sorted(path.name for path in folder.glob("part-*")) if folder.is_dir() else []
        if not found:
            raise ConversionError(f"{self.shown}/{name}: expected a folder with files part-*; there is none")
        return [f"{name}/{part}" for part in found]


def open_saved(source: Path, scratch: Path) -> Folder:
    """Return the folder of a saved model: source itself, or what source, a zip, holds.

    scratch: an existing folder to unpack into. A zip may hold the model at its root or in one folder.
    """
    if source.is_dir():
        return Folder(source, str(source))
    if not source.is_file():
        raise ConversionError(f"{source}: no such file or folder")
    folder = unpack(source, str(source), scratch / "saved")
    inside = list(folder.path.iterdir())
    if not (folder.path / "metadata").is_dir() and len(inside) == 1 and inside[0].is_dir():
        return folder / inside[0].name
    return folder


def unpack(archive: Path, shown: str, into: Path) -> Folder:
    """Unpack a zip into a new folder; hidden files (Spark's checksums) are left out.

    Refused with `ConversionError`: names that lead elsewhere, links, names given twice, encryption, methods other
    than stored and deflated, and contents that are huge, or huge for their packed size.
    """
    try:
        _check_directory(archive, shown)
        with zipfile.ZipFile(archive) as opened:
            members = opened.infolist()
            _check_members(members, archive.stat().st_size, shown)
            into.mkdir()
            for member in members:
                if not member.is_dir() and not member.filename.rpartition("/")[2].startswith("."):
                    _write_member(opened, member, into / member.filename)
    except ConversionError:
        raise
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, RuntimeError, ValueError) as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ConversionError(f"{into}: no room to unpack {shown}: {error.strerror}") from None
        raise ConversionError(f"{shown}: not a readable zip: {error}") from None
    return Folder(into, shown)


def _check_directory(archive: Path, shown: str) -> None:
    """Refuse a table of contents that is too long to be read (zipfile would make an object of each entry)."""
    with archive.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - (1 << 16) - 64))
        tail = file.read()
    end = tail.rfind(_END)
    if end < 0 or len(tail) < end + 22:
        raise ConversionError(f"{shown}: not a zip, or a truncated one")
    if tail[:end][-20:].startswith(_ZIP64_LOCATOR) or struct.unpack_from("<I", tail, end + 12)[0] > MAX_DIRECTORY_BYTES:
        raise ConversionError(f"{shown}: expected a zip with at most {MAX_MEMBERS:,} files below 4 GiB")


def _check_members(members: list[zipfile.ZipInfo], archive_size: int, shown: str) -> None:
    if len(members) > MAX_MEMBERS:
        raise ConversionError(f"{shown}: expected at most {MAX_MEMBERS:,} files, got {len(members):,}")
    limit = min(MAX_UNPACKED_BYTES, FREE_BYTES + MAX_RATIO * archive_size)
    if (unpacked := sum(member.file_size for member in members)) > limit:
        raise ConversionError(f"{shown}: expected at most {limit:,} bytes in a zip of {archive_size:,}, "
                              f"got {unpacked:,}")
    if sum(member.compress_size for member in members) > archive_size:
        raise ConversionError(f"{shown}: its files overlap")
    seen = set()
    for member in members:
        name = member.filename
        parts = name.removesuffix("/").split("/")
        kind = stat.S_IFMT(member.external_attr >> 16)
        if any(part in ("", ".", "..") for part in parts) or any(char in name for char in "\\:\0"):
            problem = "a path inside the archive"
        elif name in seen:
            problem = "each name once"
        elif kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            problem = "a plain file, got a link or device"
        elif member.flag_bits & 1 or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            problem = "a file stored or deflated, and not encrypted"
        else:
            seen.add(name)
            continue
        raise ConversionError(f"{shown}: {name!r}: expected {problem}")


def _write_member(opened: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> None:
    """Write one file; zipfile stops at the stated size and checks the checksum."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with opened.open(member) as packed, path.open("xb") as plain:
        shutil.copyfileobj(packed, plain, 1 << 20)
    if path.stat().st_size != member.file_size:
        raise zipfile.BadZipFile(f"{member.filename!r} is truncated")
