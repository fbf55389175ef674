"""Windows' libraries run under wine: with the memory that calls of kernels had here they leave the same bytes."""

import contextlib
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from test_guard import bits

from nerlite.ops import answers, features, library
from nerlite.ops.arrays import DATA, SHAPE
from nerlite.ops.compiled import CompiledOps
from nerlite.ops.cpu import LEVELS, cpu_levels
from nerlite.ops.records import _DOUBLE, _WORD, Array, Number, Part

ROOT = Path(__file__).parent.parent
WINE = shutil.which("wine64") or shutil.which("wine64", path="/usr/lib/wine")
ALIGNMENT = 64
N_MODELS = 4

pytestmark = [pytest.mark.skipif(sys.platform != "linux" or not WINE, reason="no wine64")]


class Image:
    """A call's memory, at places that are not yet addresses."""

    def __init__(self):
        self.memory, self.pointers, self.arrays = bytearray(), [], []
        self._places = {}

    def take(self, data):
        """Return the place of bytes, put there."""
        self.memory += bytes(-len(self.memory) % ALIGNMENT)
        place = len(self.memory)
        self.memory += data
        return place

    def words(self, words):
        """Return the place of words: numbers, or of others the places in lists of one."""
        place = self.take(bytes(8 * len(words)))
        for at, word in zip(range(place, place + 8 * len(words), 8), words, strict=True):
            if isinstance(word, list):
                self.pointers.append((at, word[0]))
            else:
                _WORD.pack_into(self.memory, at, word)
        return place

    def array(self, array):
        """Return the place of an array's numbers."""
        if id(array) not in self._places:
            self._places[id(array)] = self.take(array.tobytes())
            self.arrays.append((self._places[id(array)], array))
        return self._places[id(array)]

    def record(self, record):
        """Return the place of a record's words."""
        words = []
        for name, field in record.fields.items():
            value = getattr(record, name)
            if isinstance(field, Array) and record.kept:
                words += [[self.array(value)], *value.shape]
            elif isinstance(field, Array):
                head = [0] * (SHAPE // 8 + 1)  # what kernels read of an array object
                head[DATA // 8], head[SHAPE // 8] = [self.array(value)], [self.words(value.shape or (0,))]
                words.append([self.words(head)])
            elif isinstance(field, Number):
                words.append(int(value) if field.kind is int else _WORD.unpack(_DOUBLE.pack(value))[0])
            elif isinstance(field, Part):
                words.append([self.record(value)])
            else:
                words.append([self.words([len(value), *([self.record(each)] for each in value)])])
        return self.words(words)


def keep_calls(file, call=library.Kernel.__call__):
    """What calls a kernel, and writes down its memory before and its arrays behind."""
    def keep(kernel, arguments):
        image = Image()
        entry = image.record(arguments)
        call(kernel, arguments)
        expected, places = bytearray(), []
        for place, array in image.arrays:
            places.append((place, array.nbytes, len(expected), array.dtype == np.float64))
            expected += array.tobytes()
        file.write(CALL.pack(f"nerlite_{kernel.name}".encode(), len(image.memory), len(image.pointers), len(places),
                             len(expected), entry))
        file.write(image.memory)
        for numbers in (*image.pointers, *places):
            file.write(struct.pack(f"<{len(numbers)}Q", *numbers))
        file.write(expected)

    return keep


CALL = struct.Struct("<32s5Q")  # as replay.c has it


def pairs():
    """The levels that have both libraries, and whose kernels run here."""
    for level in cpu_levels():
        with contextlib.suppress(library.NoLibraryError):
            loaded = library.load_library([level])
            if (path := Path(library.library_path(level, ".dll"))).exists():
                yield pytest.param(loaded, path, id=level.name)


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """What replays calls, compiled for Windows."""
    pytest.importorskip("ziglang")
    path = tmp_path_factory.mktemp("replay") / "replay.exe"
    subprocess.run([sys.executable, "-m", "ziglang", "cc", "-target", "x86_64-windows-gnu", "-O1", "-o", path,
                    ROOT / "tests" / "replay.c"], check=True)
    return path


@pytest.fixture(scope="module")
def wine(tmp_path_factory):
    """A function that runs a program for Windows."""
    environment = {**os.environ, "WINEPREFIX": str(tmp_path_factory.mktemp("wine")), "WINEDEBUG": "-all",
                   "WINEDLLOVERRIDES": "mscoree,mshtml="}

    def run(*command):
        done = subprocess.run([WINE, *command], env=environment, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout

    return run


@pytest.mark.parametrize(("kernels", "path"), list(pairs()))
def test_windows_kernels_leave_the_same_bytes(program, wine, tmp_path, monkeypatch, kernels, path):
    ops = CompiledOps("native", kernels)
    with (tmp_path / "calls").open("wb") as file:
        monkeypatch.setattr(library.Kernel, "__call__", keep_calls(file))
        assert answers.wrong(ops) == []
        for seed in range(N_MODELS):
            bits(ops, seed)
    status, said = wine(program, path, tmp_path / "calls")
    assert status == 0, said
    assert int(said.split()[0]) > 4 * N_MODELS
    # The control: one bit of what is expected is another.
    data = bytearray((tmp_path / "calls").read_bytes())
    data[-1] ^= 0x40
    (tmp_path / "other").write_bytes(data)
    assert wine(program, path, tmp_path / "other")[0] == 1


def test_windows_library_asks_the_cpu(program, wine, tmp_path):
    path = Path(library.library_path(LEVELS["avx2"], ".dll"))
    if not path.exists() or not any(features.cpuid(7, 0)):
        pytest.skip("there are no two libraries for AVX2")
    for subleaf, more, status in ((0, 0, 0), (1, 0, 0), (1, 1 << 4, 1)):  # the last is another answer: a control
        expected = np.array(features.cpuid(7, subleaf), np.uint32)
        expected[0] ^= more
        call = CALL.pack(b"nerlite_cpuid", 16, 0, 1, 16, 0) + struct.pack("<4I", 7, 0, subleaf, 0)
        (tmp_path / "asks").write_bytes(call + struct.pack("<4Q", 0, 16, 0, 0) + expected.tobytes())
        assert wine(program, path, tmp_path / "asks")[0] == status
