"""A long life: one tagger, many threads and processes, and answers that stay what they were, in memory that stays flat.

Command: python tests/soak.py [--sentences N] [--seconds N] [--threads N] [--distinct N] [--seed N]

Real sentences are tagged in every way that there is here (see `one_answer`). Then threads tag texts, some of words
never seen before, and compare each answer with that of a tagger of one thread; all the while processes are forked, and
others started that get the tagger pickled. Then `--distinct` different words are tagged. Printed are how many of each
were done, what was wrong, and how memory grew after the first fifth of the time. Memory is measured while no thread is
in a call, once the allocator has given back what is free.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import itertools
import multiprocessing
import os
import random
import string
import sys
import threading
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from one_answer import Answer, answer, compare, real_sentences, ways

import nerlite
from nerlite.memo import LIMIT

WORDS = ["Angela", "Merkel", "flew", "from", "Berlin", "to", "Washington", "with", "Siemens", "and", "Nestlé", "after",
         "Obama", "met", "IBM", "in", "Tokyo", "Monday", ".", "The", "European", "Central", "Bank", "'s", "U.S.-led",
         "(", "1990", ")", ",", "Müller", "日本", "\U0001f600", "EU", "john"]
# So many new words fill what remembers words, each of which forgets all where it is full; so many come with each text.
CACHED, NEW = 3 * LIMIT, 100


def resident() -> int:
    """Bytes of memory that this process has, without what its allocator (glibc's) keeps for later; 0 if unknown."""
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
    with contextlib.suppress(OSError):
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def some_texts(rng: random.Random, n: int) -> list[str]:
    """Texts of 1 to 400 words, short ones mostly, each other than the next."""
    return [" ".join(rng.choices(WORDS, k=rng.choice((1, 3, 8, 12, 20, 40, 400)))) for _ in range(n)]


def new_word(rng: random.Random) -> str:
    """A word that was hardly seen before."""
    return "".join(rng.choices(string.ascii_letters, k=rng.randint(6, 12)))


def ask(tagger: nerlite.Tagger, expected: dict[str, Answer]) -> bool:
    """Whether a tagger, in whichever process, answers as expected."""
    return all(answer(tagger(text)) == said for text, said in expected.items())


class Soak:
    """What the threads share: the tagger, the texts with their answers, and what came of it all."""

    def __init__(self, model: Any, threads: int, seed: int) -> None:
        self.tagger = nerlite.load(model, threads=2)
        self.threads, self.seed = threads, seed
        alone = nerlite.load(model, threads=1)
        self.expected = {text: answer(alone(text)) for text in some_texts(random.Random(seed), 60)}
        self.done: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.ended, self.pausing = threading.Event(), threading.Event()
        self.together = threading.Barrier(threads + 1)
        rng = random.Random(seed)
        self.tagger.tag([new_word(rng) for _ in range(CACHED)])

    def run(self, seconds: float) -> int:
        """Go on for so long; return by how many bytes memory grew after the first fifth."""
        workers = [threading.Thread(target=self._tag, args=(i,)) for i in range(self.threads)]
        for worker in workers:
            worker.start()
        begin, sizes = time.monotonic(), []
        try:
            while (passed := time.monotonic() - begin) < seconds and not self.wrong:
                if passed > seconds * (1 / 5 + len(sizes) / 100):
                    sizes.append(self._resident_at_rest())
                self._fork()
                if self.done["forked"] % 20 == 1:
                    self._spawn()
                time.sleep(min(0.2, seconds / 50))
        finally:
            self.ended.set()
            for worker in workers:
                worker.join()
        fifth = max(1, len(sizes) // 5)
        return max(sizes[-fifth:], default=0) - max(sizes[:fifth], default=0)

    def _resident_at_rest(self) -> int:
        """Bytes of memory while each thread is between two calls."""
        size = 0
        with contextlib.suppress(threading.BrokenBarrierError):  # where a thread went wrong
            self.pausing.set()
            self.together.wait()
            size = resident()
            self.pausing.clear()
            self.together.wait()
        return size

    def _tag(self, number: int) -> None:
        rng = random.Random(self.seed + number)
        texts = list(self.expected)
        try:
            while not self.ended.is_set():
                if self.pausing.is_set():
                    self.together.wait()
                    self.together.wait()
                if rng.random() < 0.1:
                    chosen = rng.choices(texts, k=20)
                    found = [answer(document) for document in self.tagger.pipe(chosen)]
                else:
                    chosen = [rng.choice(texts)]
                    found = [answer(self.tagger(chosen[0]))]
                if found != [self.expected[text] for text in chosen]:
                    self.wrong.append(f"thread {number}: another answer to {chosen[0]!r:.80}")
                self.tagger.tag([new_word(rng) for _ in range(NEW)])
                self.done["documents"] += len(chosen) + 1
        except threading.BrokenBarrierError:
            pass  # another thread has said what was wrong
        except BaseException as error:
            self.wrong.append(f"thread {number}: {error!r}")
            self.together.abort()

    def _some(self) -> dict[str, Answer]:
        return dict(itertools.islice(self.expected.items(), self.done["forked"] % 50, None, 17))

    def _fork(self) -> None:
        """Fork while the threads are in the midst of their calls; the child asks, and forks as well."""
        if not hasattr(os, "fork"):
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of a process with threads, which is what is tried
            child = os.fork()
        if not child:
            status = 1
            with contextlib.suppress(BaseException):
                status = 0 if ask(self.tagger, self._some()) else 2
                if not status and (grandchild := os.fork()):
                    status = os.waitstatus_to_exitcode(os.waitpid(grandchild, 0)[1])
                elif not status:
                    status = 0 if ask(self.tagger, self._some()) else 3
            os._exit(status)
        if ended := os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
            self.wrong.append(f"a forked process ended with {ended}")
        self.done["forked"] += 1

    def _spawn(self) -> None:
        """Start a process that gets the tagger pickled."""
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            if not pool.apply(ask, (self.tagger, self._some())):
                self.wrong.append("a process that got the tagger pickled gave another answer")
        self.done["spawned"] += 1


def distinct_words(n: int) -> Iterator[list[str]]:
    """Yield n different words, some thousand at a time."""
    words = ("".join(letters) for letters in itertools.product(string.ascii_lowercase, repeat=5))
    while batch := list(itertools.islice(words, min(4096, n))):
        n -= len(batch)
        yield batch


def growth_of_distinct_words(tagger: nerlite.Tagger, n: int) -> int:
    """Tag n different words; return by how many bytes memory grew after the first fifth."""
    sizes = []
    for batch in distinct_words(n):
        tagger.tag(batch)
        sizes.append(resident())
    return max(sizes[len(sizes) // 5:], default=0) - max(sizes[:len(sizes) // 5 + 1], default=0)


def tag_in_every_way(texts: list[str], options: argparse.Namespace) -> list[str]:
    """Compare the answers of all ways, and print how many there are so far; return what was wrong."""
    there, done, wrong = list(ways(options.model)), Counter[str](), list[str]()
    for start in range(0, len(texts), 2000):
        some, others = compare(texts[start:start + 2000], there, options.seed + start)
        done, wrong = done + some, wrong + others
        print("sentences:", ", ".join(f"{n:,} {way}" for way, n in done.items()), *others, flush=True)
    return wrong


def main() -> int:
    """Run the command line; return 1 where something was wrong or memory grew by more than 5 MB."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sentences", type=int, default=20_000, help="that are tagged in every way (20,000)")
    parser.add_argument("--seconds", type=float, default=3300, help="of threads and processes (3300)")
    parser.add_argument("--threads", type=int, default=4, help="that tag at once (4)")
    parser.add_argument("--distinct", type=int, default=5_000_000, help="words (5,000,000)")
    parser.add_argument("--model", help="default: the shipped one")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    wrong = tag_in_every_way(real_sentences(options.sentences), options)
    soak = Soak(options.model, options.threads, options.seed)
    grown = soak.run(options.seconds)
    print(f"{', '.join(f'{n:,} {what}' for what, n in soak.done.items())}; memory grew by {grown / 1e6:.1f} MB",
          flush=True)
    words = growth_of_distinct_words(soak.tagger, options.distinct)
    print(f"{options.distinct:,} different words; memory grew by {words / 1e6:.1f} MB")
    wrong += soak.wrong
    print("\n".join(wrong) or "nothing was wrong")
    return 1 if wrong or max(grown, words) > 5e6 else 0


if __name__ == "__main__":
    sys.exit(main())
