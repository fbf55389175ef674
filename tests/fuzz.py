"""Hostile files: models, checkpoints, Spark archives and input of all formats with one or a few faults, without end.

Command: python tests/fuzz.py [--seconds N] [--first SEED] [TARGET ...]

Each case is made from its seed alone, and is tried in a process that may use only so much memory and time. It is right
where it ends in a `FileError` that a terminal can show, or in a usable model. What is not is printed with its seed:
`--seconds 0 --first SEED TARGET` runs that case again, here, with its traceback.

Where atheris is installed, half of the time is for the readers, led by the code that their input reaches (`guided.py`);
what reaches more of it is kept in the environment's folder `corpus`, and where the next run begins.
"""

from __future__ import annotations

import argparse
import atexit
import contextlib
import copy
import functools
import importlib.util
import json
import math
import os
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "tools"))

import convert_hf
import readers
import sparknlp_writer
from convert_sparknlp.convert import convert
from quantize import quantize
from test_convert_hf import write_checkpoint

import nerlite
from nerlite.errors import FileError

GOLDEN = Path(__file__).parent / "golden"
TEXT = "Angela Merkel flew from Berlin to the EU . \u00dcnder \U0001f600 john " + "x.y-" * 30
# Bytes and seconds that a case may take, over what the process has before.
MEMORY, SECONDS = 1 << 30, 20
PER_PROCESS = 50
NUMBERS: tuple[Any, ...] = (0, 1, -1, 2, 3, 7, 255, 2 ** 15, 2 ** 24, 2 ** 31, 2 ** 32, 2 ** 63, 2 ** 64, 10 ** 30,
                            0.5, -0.0, 1e-300, 1e300, math.nan, math.inf, -math.inf, True, False)
STRINGS = ("", "O", "B-PER", "I-", "-", "\x00", "\x1b[2J", "\ud800", "\u202e", "../../x", "/dev/zero", "a" * 5000,
           "F32", "F64", "BF16", "I8", "BOOL", "int8", "float16", "crf", "viterbi", "BPE", "Unigram", "WordLevel",
           "Replace", "Precompiled", "Split", "Metaspace", "ByteLevel", "Sequence", "NFKD", "BertNormalizer", "[UNK]",
           "[CLS]", "##")


class Case(NamedTuple):
    """A kind of file: what makes an undamaged one in a folder, what damages it there, and what reads it."""

    make: Callable[[Path], None]
    damage: Callable[[random.Random, Path], None]
    read: Callable[[Path], None]


def some_value(rng: random.Random, depth: int = 2) -> Any:
    """Any JSON, small ones mostly, and now and then what is long or deep."""
    kind = rng.randrange(9 if depth else 6)
    if kind < 3:
        return rng.choice(NUMBERS)
    if kind < 5:
        return rng.choice(STRINGS)
    if kind == 5:
        return None
    if kind == 6:
        return [some_value(rng, depth - 1)] * rng.choice((0, 1, 2, 3, 2000))
    if kind == 7:
        return {rng.choice(STRINGS): some_value(rng, depth - 1) for _ in range(rng.choice((0, 1, 3)))}
    return functools.reduce(lambda inner, _: [inner], range(rng.choice((10, 100))), 0)


def damaged_json(rng: random.Random, data: Any) -> Any:
    """A copy of JSON with one place changed: another value or text, one more or less, one twice, two exchanged."""
    data = copy.deepcopy(data)
    places: list[tuple[Any, Any]] = []
    part = data
    while isinstance(part, (dict, list)) and part:  # a way down, so that a large vocabulary is not nearly every place
        key = rng.choice(list(part)) if isinstance(part, dict) else rng.randrange(len(part))
        places.append((part, key))
        part = part[key]
    if not places:
        return some_value(rng)
    part, key = rng.choice(places)
    kind = rng.randrange(6)
    if kind < 2 and isinstance(part[key], str) and rng.random() < 0.5:
        at = rng.randrange(len(part[key]) + 1)
        part[key] = part[key][:at] + rng.choice(STRINGS) + part[key][at:]
    elif kind < 2:
        part[key] = some_value(rng)
    elif kind == 2 and isinstance(part[key], (int, float)):
        part[key] = rng.choice((part[key] + 1, part[key] - 1, part[key] * 2, -part[key], part[key] * 10 ** 6))
    elif kind == 3:
        del part[key]
    elif kind == 4 and isinstance(part, dict):
        part[rng.choice((*STRINGS, *part))] = some_value(rng) if rng.random() < 0.5 else copy.deepcopy(part[key])
    elif isinstance(part, list):
        part[:] = rng.choice((part * 2, part[::-1], part[:key], [*part, some_value(rng)], part * 300))
    else:
        other = rng.choice(list(part))
        part[key], part[other] = part[other], part[key]
    return data


def damaged_bytes(rng: random.Random, data: bytes) -> bytes:
    """A copy of bytes with a bit changed, an end cut off, a number overwritten, a part repeated or noise behind."""
    damaged, at = bytearray(data), rng.randrange(len(data) + 1)
    kind = rng.randrange(6)
    if kind == 0 and data:
        damaged[at % len(data)] ^= 1 << rng.randrange(8)
    elif kind == 1:
        del damaged[at:]
    elif kind == 2:
        damaged[at:at + 4] = rng.choice((b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff", b"\x80\0\0\0", bytes(4),
                                         struct.pack("<f", math.nan), struct.pack("<f", -math.inf)))
    elif kind == 3:
        damaged[at:at] = damaged[at:at + rng.randrange(1, 200)]
    elif kind == 4:
        damaged += rng.randbytes(rng.choice((1, 8, 4096)))
    else:
        damaged[at:at + 64] = rng.randbytes(64)
    return bytes(damaged)


def change_json(rng: random.Random, path: Path) -> None:
    """Damage a JSON file: what it says, mostly, or its bytes."""
    text = path.read_bytes()
    if rng.random() < 0.9:
        data = json.loads(text)
        for _ in range(rng.choice((1, 1, 1, 2, 4))):
            data = damaged_json(rng, data)
        with contextlib.suppress(RecursionError):
            text = json.dumps(data).encode("utf-8", "surrogatepass")
    else:
        text = rng.choice((damaged_bytes(rng, text), b"[" * 10 ** 5, b'{"a":' * 10 ** 5, text + text, b"9" * 10 ** 4))
    path.write_bytes(text)


def change_safetensors(rng: random.Random, path: Path) -> None:
    """Damage a safetensors file: its header's length, what that says, or the numbers."""
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    header, data = content[8:8 + size], content[8 + size:]
    kind = rng.randrange(10)
    if kind < 5:
        header = json.dumps(damaged_json(rng, json.loads(header))).encode("utf-8", "surrogatepass")
        size = len(header)
    elif kind == 5:
        size = rng.choice((0, 1, size - 1, size + 1, len(content), 2 ** 31, 2 ** 63, 2 ** 64 - 1))
    elif kind == 6:
        header = damaged_bytes(rng, header)
        size = len(header)
    else:
        data = damaged_bytes(rng, data)
    path.write_bytes(size.to_bytes(8, "little") + header + data)


def make_model(folder: Path) -> None:
    """One of the golden models that tag, and one in int8; all without checksums, which would refuse all damage."""
    for name in ("tagger", "tagger-plain"):
        shutil.copytree(GOLDEN / name, folder / name)
        path = folder / name / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | {"checksums": None}))
    quantize(folder / "tagger", folder / "tagger-int8")
    path = folder / "tagger-int8" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | {"checksums": None}))


def read_model(folder: Path) -> None:
    """Load each model and tag with it."""
    for path in sorted(folder.iterdir()):
        with contextlib.suppress(FileError) if path.name != "damaged" else contextlib.nullcontext():
            tag(path)


def tag(path: Path) -> None:
    """Tag with a model, and look at what it says."""
    tagger = nerlite.load(path, threads=1)
    for document in (tagger(TEXT), tagger(""), *tagger.pipe([TEXT, "Berlin"])):
        for entity in document.entities:
            assert document.text[entity.start:entity.end] == entity.text, entity
            assert 0 <= entity.score <= 1, entity
    assert len(tagger.tag(["john", "Berlin"])) == 2


def damage_model(change: Callable[[random.Random, Path], None], name: str) -> Callable[[random.Random, Path], None]:
    """Return what damages a file of one of the models, which is the only one that is then there."""
    def damage(rng: random.Random, folder: Path) -> None:
        chosen = rng.choice(sorted(folder.iterdir()))
        chosen.rename(folder.parent / "damaged")
        shutil.rmtree(folder)
        folder.mkdir()
        (folder.parent / "damaged").rename(folder / "damaged")
        change(rng, folder / "damaged" / name)

    return damage


def make_checkpoint(folder: Path) -> None:
    """A checkpoint of each kind, one with a tokenizer.json, and its index of shards."""
    write_checkpoint(folder / "bert", "bert", tags=("O", "B-PER", "I-PER"))
    write_checkpoint(folder / "distilbert", "distilbert")
    tokenizer = convert_hf.bert_tokenizer(folder / "bert" / "vocab.txt")
    tokenizer.save(str(folder / "bert" / "tokenizer.json"))
    (folder / "bert" / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer", "do_lower_case": 1}')
    weights = folder / "distilbert" / "model.safetensors"
    header = json.loads(weights.read_bytes()[8:8 + int.from_bytes(weights.read_bytes()[:8], "little")])
    index = {"weight_map": dict.fromkeys(header, "shard.safetensors")}
    (folder / "distilbert" / "model.safetensors.index.json").write_text(json.dumps(index))
    weights.rename(folder / "distilbert" / "shard.safetensors")


def damage_checkpoint(rng: random.Random, folder: Path) -> None:
    """Damage a file of one of the checkpoints."""
    path = rng.choice(sorted(path for path in folder.rglob("*") if path.is_file()))
    change = {".json": change_json, ".safetensors": change_safetensors}.get(path.suffix)
    if change:
        change(rng, path)
    else:
        path.write_bytes(damaged_bytes(rng, path.read_bytes()))


def read_checkpoint(folder: Path) -> None:
    """Convert each; nothing may be left of one that is refused. What is converted must tag, or have no tags."""
    errors = []
    for path in sorted(folder.iterdir()):
        done = folder.parent / f"converted-{path.name}"
        try:
            config = convert_hf.convert(path, done)
            if config.tags:
                tag(done)
        except FileError as error:
            errors.append(error)
            assert done.exists() is ("crf:" in str(error)), "something was left"
    assert not list(folder.parent.glob(".partial*")), "something was left"
    if errors:
        raise errors[0]


def make_spark(folder: Path) -> None:
    """A pair of saved stages."""
    sparknlp_writer.write_embeddings(folder / "embeddings")
    sparknlp_writer.write_ner(folder / "ner")


def damage_spark(rng: random.Random, folder: Path) -> None:
    """Damage a file of a stage, one inside of its archive of TensorFlow's, or the archive that the stage is in."""
    path = rng.choice(sorted(path for path in folder.rglob("*") if path.is_file()))
    if zipfile.is_zipfile(path) and rng.random() < 0.8:
        (inside := folder.parent / "inside").mkdir()
        with zipfile.ZipFile(path) as archive:
            archive.extractall(inside)
        chosen = rng.choice(sorted(each for each in inside.rglob("*") if each.is_file()))
        chosen.write_bytes(damaged_bytes(rng, chosen.read_bytes()))
        path.unlink()
        sparknlp_writer.zip_folder(inside, path)
    elif (content := path.read_bytes()).startswith(b"{"):
        lines = content.split(b"\n")
        lines[0] = json.dumps(damaged_json(rng, json.loads(lines[0]))).encode("utf-8", "surrogatepass")
        path.write_bytes(b"\n".join(lines))
    else:
        path.write_bytes(damaged_bytes(rng, content))


def read_spark(folder: Path) -> None:
    """Convert the pair, and tag."""
    done = folder.parent / "converted"
    try:
        convert([folder / "embeddings", folder / "ner"], done)
    except FileError:
        assert not done.exists(), "something was left"
        raise
    tag(done)


def make_input(folder: Path) -> None:
    """Input for each of the readers."""
    for name in readers.TARGETS:
        for i, content in enumerate(readers.seeds(name)):
            (folder / f"{name}-{i}").write_bytes(content)


def damage_input(rng: random.Random, folder: Path) -> None:
    """Damage what one of the readers reads, and choose other options; only that is then there."""
    for path in rng.sample(sorted(folder.iterdir()), len(list(folder.iterdir())))[1:]:
        path.unlink()
    (path,) = folder.iterdir()
    content = path.read_bytes()[readers.N_OPTIONS:]
    for _ in range(rng.choice((0, 1, 1, 2, 5))):
        content = damaged_bytes(rng, content)
    path.write_bytes(rng.randbytes(readers.N_OPTIONS) + content)


def read_input(folder: Path) -> None:
    """Read it."""
    (path,) = folder.iterdir()
    readers.TARGETS[path.name.partition("-")[0]](path.read_bytes())


TARGETS = {
    "config": Case(make_model, damage_model(change_json, "config.json"), read_model),
    "tokenizer": Case(make_model, damage_model(change_json, "tokenizer.json"), read_model),
    "weights": Case(make_model, damage_model(change_safetensors, "model.safetensors"), read_model),
    "checkpoint": Case(make_checkpoint, damage_checkpoint, read_checkpoint),
    "spark": Case(make_spark, damage_spark, read_spark),
    "readers": Case(make_input, damage_input, read_input),
}


@functools.cache
def undamaged(target: str) -> Path:
    """The folder of a target's undamaged files, made once."""
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"), target)
    atexit.register(shutil.rmtree, folder.parent, ignore_errors=True)
    folder.mkdir()
    TARGETS[target].make(folder)
    return folder


def run(target: str, seed: int) -> str:
    """Try one case here; return how it ended, raise where that is wrong."""
    case = TARGETS[target]
    with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch, np.errstate(all="ignore"):
        folder = Path(scratch, "files")
        shutil.copytree(undamaged(target), folder)
        case.damage(random.Random(f"{target} {seed}"), folder)
        try:
            case.read(folder)
        except FileError as error:
            readers.check_message(error)
            return "refused"
    return "used"


def run_many(target: str, first: int, n: int) -> Iterator[tuple[int, str]]:
    """Try cases in a process of their own; yield each one's seed and "used", "refused" or what went wrong."""
    reading, writing = os.pipe()
    undamaged(target)
    if not (child := os.fork()):
        with contextlib.suppress(BaseException):
            _work(target, first, n, writing)
        os._exit(0)
    os.close(writing)
    seed = first
    with os.fdopen(reading, errors="replace") as results:
        for line in results:
            yield seed, line.rstrip("\n")
            seed += 1
    _, status = os.waitpid(child, 0)
    if seed < first + n:
        ended = os.waitstatus_to_exitcode(status)
        too_long = ended in (-signal.SIGALRM, -signal.SIGPROF)
        yield seed, f"took more than {SECONDS} seconds" if too_long else f"ended the process: {ended}"


def _work(target: str, first: int, n: int, results: int) -> None:
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY,) * 2)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for each in (signal.SIGALRM, signal.SIGPROF):
        signal.signal(each, signal.SIG_DFL)
    for seed in range(first, first + n):
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        signal.alarm(10 * SECONDS)  # for what waits, on a machine that may be busy otherwise
        try:
            ended = run(target, seed)
        except BaseException as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            ended = f"{type(error).__name__}: {str(error)[:200]!r} at {Path(place.filename).name}:{place.lineno}"
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.alarm(0)
        os.write(results, f"{ended}\n".encode("utf-8", "backslashreplace"))


def fuzz(target: str, first: int, n: int) -> tuple[Counter[str], dict[int, str]]:
    """Try n cases; return how many ended how, and what was wrong by its seed."""
    ends: Counter[str] = Counter()
    wrong: dict[int, str] = {}
    seed = first
    while seed < first + n:
        for seed, ended in run_many(target, seed, min(PER_PROCESS, first + n - seed)):  # noqa: B020
            ends[ended if ended in ("used", "refused") else "wrong"] += 1
            if ended not in ("used", "refused"):
                wrong[seed] = ended
        seed += 1
    return ends, wrong


def guide(name: str, seconds: float, seed: int) -> bool:
    """Lead one of the readers for so long, and print what came of it; return whether nothing was wrong."""
    corpus = Path(sys.prefix, "corpus", name)
    corpus.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as first:
        for i, content in enumerate(readers.seeds(name)):
            Path(first, str(i)).write_bytes(content)
        options = [f"-max_total_time={max(1, int(seconds))}", f"-seed={seed % 2 ** 32 or 1}",
                   f"-timeout={10 * SECONDS}", f"-rss_limit_mb={2 * MEMORY >> 20}", f"-artifact_prefix={corpus}-"]
        ended = subprocess.run([sys.executable, Path(__file__).with_name("guided.py"), name, corpus, first, *options],
                               capture_output=True, encoding="utf-8", errors="backslashreplace")
    done = re.search(r"^Done (\d+) runs", ended.stderr, re.MULTILINE)
    if done and not ended.returncode:
        print(f"{name}: {int(done[1]):,} inputs, led by what they reach; kept are {len(list(corpus.iterdir())):,}",
              flush=True)
    else:
        print(f"{name}: {ended.stdout[-2000:]}{ended.stderr[-2000:]}", flush=True)
    return bool(done) and not ended.returncode


def main() -> int:
    """Run the command line; return 1 where something was wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("targets", nargs="*", choices=[*TARGETS, []], metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=float, default=60, help="how long to go on (60)")
    parser.add_argument("--first", type=int, default=None, metavar="SEED", help="the first seed (by the clock)")
    options = parser.parse_args()
    first = int(time.time()) * 1000 if options.first is None else options.first
    targets = options.targets or list(TARGETS)
    if not options.seconds:
        print(*(run(target, first) for target in targets))
        return 0
    print(f"first seed {first}", flush=True)
    ends: dict[str, Counter[str]] = {target: Counter() for target in targets}
    end, seed, right = time.monotonic() + options.seconds, first, True
    if "readers" in targets and importlib.util.find_spec("atheris"):
        share = options.seconds / 2 / len(readers.TARGETS)
        right = all([guide(name, share, first) for name in readers.TARGETS])
    elif "readers" in targets:
        print("readers are not led by what they reach: atheris is not installed (pip install '.[fuzz]')", flush=True)
    while time.monotonic() < end:
        for target in targets:
            counts, wrong = fuzz(target, seed, PER_PROCESS)
            ends[target] += counts
            for each, what in wrong.items():
                print(f"{target} {each}: {what}", flush=True)
        seed += PER_PROCESS
    for target, counts in ends.items():
        print(f"{target}: {', '.join(f'{n:,} {end}' for end, n in counts.items())}")
    return 0 if right and not any(counts["wrong"] for counts in ends.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
