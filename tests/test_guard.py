"""Kernels read and write nothing that is not theirs: arrays end, or begin, at memory that no one may touch.

Each model, of random sizes from 1 to 33, is a process's own: one that touches such memory ends by a signal.
"""

import contextlib
import ctypes
import faulthandler
import mmap
import os
import random
import signal
import sys

import numpy as np
import pytest

from nerlite.batch import Input, make_batch
from nerlite.config import (
    CharCNNConfig,
    CharLSTMConfig,
    CharsConfig,
    Config,
    ContextConfig,
    EncoderConfig,
    check_config,
)
from nerlite.network.model import Network
from nerlite.ops import library, records
from nerlite.ops.arguments import Viterbi
from nerlite.ops.compiled import CompiledOps
from nerlite.ops.cpu import cpu_levels
from nerlite.ops.records import Array, Part, Parts
from nerlite.shapes import N_SHAPES
from nerlite.threads import Workers
from nerlite.weights import expected_tensors

N_MODELS = 12
SIZES = (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="pages are forbidden in Linux's way")


def levels():
    """The levels that run here and have a library."""
    for level in cpu_levels():
        with contextlib.suppress(library.NoLibraryError):
            yield library.load_library([level]).level


LEVELS = list(levels())


@pytest.fixture(params=LEVELS or [None], ids=lambda level: getattr(level, "name", "none"))
def ops(request):
    """The operations of each level that has a library here."""
    if request.param is None:
        pytest.skip("no library fits this machine")
    return CompiledOps("native", library.load_library([request.param]))


class Guard:
    """Memory between two pages that may not be touched."""

    def __init__(self, *, at_end):
        """at_end: whether what is taken ends at the page behind, or begins at the one before."""
        self.at_end = at_end
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._libc.mmap.restype = ctypes.c_void_p
        self._libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int,
                                    ctypes.c_long]
        self._libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]

    def empty(self, shape, dtype):
        """An array, which is never given back: the process is a short one."""
        dtype, page = np.dtype(dtype), mmap.PAGESIZE
        n_bytes = int(np.prod(shape)) * dtype.itemsize
        size = -(-max(n_bytes, 1) // page) * page
        begin = self._libc.mmap(None, size + 2 * page, mmap.PROT_READ | mmap.PROT_WRITE,
                                mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
        for forbidden in (begin, begin + page + size):
            assert self._libc.mprotect(forbidden, page, 0) == 0
        at = begin + page + (size - n_bytes if self.at_end else 0)
        return np.frombuffer((ctypes.c_char * n_bytes).from_address(at), dtype).reshape(shape)

    def copy(self, array):
        """A copy of an array."""
        guarded = self.empty(array.shape, array.dtype)
        guarded[...] = array
        return guarded

    def copy_record(self, record, copies):
        """A copy of a record and of all that it holds; copies: by its id, each array that was copied and its copy."""
        def copied(value, field):
            if isinstance(field, Array):
                return copies.setdefault(id(value), (value, self.copy(value)))[1]
            if isinstance(field, Part):
                return self.copy_record(value, copies)
            return [self.copy_record(each, copies) for each in value] if isinstance(field, Parts) else value

        return type(record)(**{name: copied(getattr(record, name), field) for name, field in record.fields.items()})


def call_guarded(guard):
    """What calls a kernel with copies of all its arrays, and copies back what it may have written."""
    def call(kernel, arguments):
        copies = {}
        copied = guard.copy_record(arguments, copies)
        kernel.function(copied.address)
        for array, copy in copies.values():
            if array.flags.writeable:
                array[...] = copy

    return call


def random_config(rng):
    size, heads = rng.choice(SIZES), rng.choice((1, 1, 2, 3, 4, 5))
    tags = ["O"] + [f"{prefix}-{label}" for label in range(rng.choice((0, 1, 2, 3, 5, 8, 16))) for prefix in "BI"]
    chars = context = None
    if rng.random() < 0.7:
        cnn = CharCNNConfig(rng.choice((1, 3, 5)), rng.randint(1, 33), rng.choice(("word", "longest")))
        lstm = CharLSTMConfig(rng.choice((1, 4)), rng.randint(1, 33), rng.choice(("sigmoid", "hard_sigmoid")))
        cnn, lstm = rng.choice(((cnn, lstm), (cnn, None), (None, lstm)))
        chars = CharsConfig(tuple("abcdefgh")[:rng.randint(0, 8)], rng.choice(("code_point", "utf16")), cnn, lstm)
    if rng.random() < 0.7:
        layers, hidden, residual = rng.choice((0, 1, 1, 2, 3)), rng.randint(1, 33), rng.random() < 0.5
        context = ContextConfig(2 * hidden if residual and layers else rng.randint(1, 70), layers,
                                hidden if layers else 0, residual, rng.choice(("lstm", "peephole")))
    length = rng.choice((3, 5, 40, 70, 600))
    encoder = EncoderConfig(rng.choice((1, 2, 50)), size * heads, rng.choice((0, 1, 1, 2, 3)), heads,
                            rng.choice((*SIZES, 64, 100, 200)), length)
    config = Config("x", encoder, tuple(tags), "IOB2", rng.choice(("crf", "viterbi", "argmax")), rng.random() < 0.5,
                    chars, context, length, rng.choice(("float32", "float16", "int8", "int8")),
                    shapes=rng.random() < 0.5)
    check_config(config, "x")
    return config


def random_tensors(config, rng):
    tensors = {}
    for name, (shape, dtype) in expected_tensors(config).items():
        if dtype == "int8":
            limit = 127 if name.endswith("_embeddings") else 63
            tensors[name] = rng.integers(-limit, limit + 1, shape).astype(np.int8)
        elif name.endswith(".scale"):
            tensors[name] = rng.uniform(0.001, 0.01, shape).astype(np.float32)
        else:
            tensors[name] = (rng.standard_normal(shape) * 0.3).astype(dtype)
    return tensors


def random_batch(rng, config):
    inputs, n_ids = [], config.encoder.vocab_size * (N_SHAPES if config.shapes else 1)
    for _ in range(rng.choice((1, 1, 2, 3, 4, 5, 6, 9, 20))):
        n = rng.randint(2, max(2, min(config.window, rng.choice((2, 3, 5, 9, 17, 33, 70, 600)))))
        n_words = rng.randint(1, n)
        inputs.append(Input([rng.randrange(n_ids) for _ in range(n)],
                            sorted(rng.sample(range(n), n_words)),
                            ["".join(rng.choices("abcdefghxyz\U0001f600é", k=rng.choice((1, 2, 3, 9, 33))))
                             for _ in range(n_words)]))
    return make_batch(inputs)


def bits(ops, seed, workers=None):
    """All that a random model says of two batches."""
    rng = random.Random(seed)
    config = random_config(rng)
    tensors = random_tensors(config, np.random.default_rng(seed))
    network, said = Network(ops, tensors, config), []
    for _ in range(2):
        batch = random_batch(rng, config)
        emissions = network.emissions(batch, workers)
        decoded = network.crf.decode(emissions, batch.word_offsets)
        said += [emissions.tobytes(), decoded.tags.tobytes(), repr((decoded.spans, decoded.scores)).encode(),
                 network.crf.tags(emissions, batch.word_offsets).tobytes()]
    return b"".join(said)


def in_a_child(function):
    """The status that a forked process ends with: 0 where the function returns true, 1 where it does not or raises."""
    if not (child := os.fork()):
        status = 1
        with contextlib.suppress(BaseException):
            faulthandler.disable()  # a crash is what is looked for
            status = 0 if function() else 1
        os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def failing(ops, check):
    """The seeds of random models that the check, in a process of its own, is not true of, and how it ended."""
    ends = {seed: in_a_child(lambda seed=seed: check(seed)) for seed in range(N_MODELS)}
    return {seed: end for seed, end in ends.items() if end}


@pytest.mark.parametrize("at_end", [True, False], ids=["right", "left"])
def test_kernels_keep_to_their_arrays(ops, at_end):
    def check(seed):
        expected = bits(ops, seed)
        library.Kernel.__call__ = call_guarded(Guard(at_end=at_end))
        return bits(ops, seed) == expected

    assert failing(ops, check) == {}


@pytest.mark.parametrize("at_end", [True, False], ids=["right", "left"])
def test_helper_threads_keep_to_their_arrays(ops, at_end):
    """What a record allocates ends at a forbidden page, for as many threads as there are."""
    def check(seed):
        expected = bits(ops, seed)
        guard = Guard(at_end=at_end)
        records.side_by_side = lambda kinds: [guard.empty(shape, dtype) for shape, dtype in kinds]
        return bits(ops, seed, Workers(3)) == expected

    assert failing(ops, check) == {}


def test_what_was_never_written_is_not_read(ops):
    real = records.side_by_side

    def check(seed):
        said = set()
        for fill in (0x00, 0xFF, 0x7E):
            def filled(kinds, fill=fill):
                arrays = real(kinds)
                for array in arrays:
                    array.reshape(-1).view(np.uint8)[:] = fill
                return arrays

            records.side_by_side = filled
            said.add(bits(ops, seed))
        return len(said) == 1

    assert failing(ops, check) == {}


@pytest.mark.parametrize(("at_end", "begin"), [(True, 0), (False, -1)], ids=["right", "left"])
def test_a_kernel_that_reads_past_its_array_is_seen(ops, at_end, begin):
    """The control: an array that is said to have a row more than it has, behind it or before it."""
    guard = Guard(at_end=at_end)
    n, n_tags = 5, 1024  # a row is a page, so that none of the others' bytes lie there
    plain = Viterbi.allocate(n=n + 1, n_tags=n_tags, n_offsets=2)
    for array in (plain.emissions, plain.start, plain.transitions, plain.end):
        array[...] = 0
    plain.offsets[:] = 0, n + 1
    held = guard.empty((n, n_tags), np.float32)
    longer = np.frombuffer((ctypes.c_char * (held.nbytes + 4 * n_tags)).from_address(
        held.ctypes.data + begin * 4 * n_tags), np.float32).reshape(n + 1, n_tags)
    kernel = ops._kernels.viterbi
    assert in_a_child(lambda: kernel(plain) is None) == 0
    assert in_a_child(lambda: kernel(plain.with_(emissions=longer)) is None) == -signal.SIGSEGV
