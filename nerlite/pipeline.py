"""From a text to its entities: `load` a model directory, and tag with it."""

from __future__ import annotations

import functools
import itertools
import operator
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from typing import Any, SupportsIndex, TypeVar, overload

from nerlite.backends import load_ops
from nerlite.batch import in_runs
from nerlite.config import read_config
from nerlite.cores import available_cores
from nerlite.document import Document
from nerlite.engine import Engine
from nerlite.errors import ModelError
from nerlite.files import AnyPath, ModelDirectory, check_checksum
from nerlite.network.model import Network
from nerlite.rules import OwnRules, Rules
from nerlite.tags import split_tag
from nerlite.text import Words, join_words
from nerlite.threads import Workers
from nerlite.weights import read_tensors

Context = TypeVar("Context")

MODEL_FILES = ("config.json", "model.safetensors", "tokenizer.json")
DEFAULT_MODEL = "english-minilm-l6"
# More than any machine has; each has memory of its own.
MOST_THREADS = 1024
HUB_NAME = ("; nothing is downloaded: a checkpoint of Hugging Face's, once it is here, becomes a model directory by "
            "tools/convert_hf.py SRC DST")
# A batch of texts ends once it has so many characters.
CHARACTERS_PER_BATCH = 100_000


def load(model: AnyPath | None = None, *, backend: str = "auto", threads: int | None = None,
         window: bool = False, agreement: bool = True) -> Tagger:
    """Load a model.

    model: a model directory, or the name of one that nerlite ships; None is the default model.
    backend: "native", "numba" or "numpy", or "auto" for the first of them that there is here; all give the same tags.
    threads: how many threads tag a batch together; None is the number of cores that this process may use.
    window: for a model that follows Spark NLP's rules: read long texts whole, through overlapping windows, where
    Spark NLP stops reading. Other models always do.
    agreement: False has each word of a text judged by itself, where the model makes a document agree with itself (see
    `nerlite.agreement` and `nerlite.columns`).
    Raises `ModelError` where the directory cannot be used.
    """
    return Tagger(find_model(model), backend=backend, threads=threads, window=window, agreement=agreement)


class Tagger:
    """A loaded model. Threads may share it; it pickles as the model's path and the options."""

    def __init__(self, path: str, *, backend: str = "auto", threads: int | None = None, window: bool = False,
                 agreement: bool = True) -> None:
        """Read the model directory `path`; options as in `load`."""
        self.threads = available_cores() if threads is None else _positive("threads", threads, MOST_THREADS)
        self._options: dict[str, Any] = {"backend": backend, "threads": threads, "window": window,
                                         "agreement": agreement}
        ops = load_ops(backend)
        self.backend: str = ops.name
        self._workers = Workers(self.threads)
        with ModelDirectory(path) as directory:
            self.path = directory.path
            config_path, tensors_path = map(directory.file, MODEL_FILES[:2])
            self.config = read_config(config_path)
            if not self.config.tags:
                raise ModelError(f"{config_path}: tags: the model is an encoder without a tagging head")
            tensors = read_tensors(self.config, tensors_path)
            try:
                self._network = Network(ops, tensors, self.config)
            except ModelError as error:
                raise ModelError(f"{tensors_path}: {error}") from None
            if self.config.checksums:
                check_checksum(tensors_path, "weights", self.config.checksums.weights, tensors.checksum())
            self._rules = self._make_rules(directory, window, agreement)
        self._engine = Engine(self._rules, self._network, len(self.config.tags), self._workers)

    def _make_rules(self, directory: ModelDirectory, window: bool, agreement: bool) -> Rules:
        if self.config.sparknlp is None:
            return OwnRules(directory, self.config, self._network.crf, agreement=agreement)
        from nerlite.sparknlp.rules import SparkRules  # only models converted from Spark NLP need it

        return SparkRules(directory, self.config, self.config.sparknlp, self._network.crf, windows=window)

    @property
    def labels(self) -> list[str]:
        """What the model's entities may be labelled, sorted."""
        # A model of Spark NLP's may have tags that name no label, only a column to spare.
        return sorted({label for prefix, label in map(split_tag, self.config.tags) if prefix in tuple("BIES")})

    def __reduce__(self) -> tuple[Callable[[str], Tagger], tuple[str]]:
        """Pickle as path and options: the receiving process loads the model itself."""
        return functools.partial(Tagger, **self._options), (self.path,)

    def __call__(self, text: str) -> Document:
        """Tag one text. Empty text has no entities."""
        _check_text(text, "text")
        return self._engine.documents([text], self._rules.read)[0]

    @overload
    def pipe(self, texts: Iterable[str], *, batch_size: int = ..., progress: bool = ...) -> Iterator[Document]: ...
    @overload
    def pipe(self, texts: Iterable[tuple[str, Context]], *, batch_size: int = ..., progress: bool = ...
             ) -> Iterator[tuple[Document, Context]]: ...
    def pipe(self, texts: Iterable[Any], *, batch_size: int = 256, progress: bool = False) -> Iterator[Any]:
        """Tag many texts, or (text, context) pairs, `batch_size` at a time; yield results in order as they come.

        Long texts make smaller batches, so memory does not grow with their number. The results are those of tagging
        each text alone. A pair gives (document, context). Where an item is no text, or cannot be had, the error comes
        after the results of all before it.
        progress: show a bar with words a second, and the time left where the texts have a len(); needs tqdm.
        """
        _check_texts(texts)
        results = self._piped(texts, _positive("batch_size", batch_size))
        return _shown(results, len(texts) if isinstance(texts, Sized) else None) if progress else results

    def _piped(self, texts: Iterable[Any], batch_size: int) -> Iterator[Any]:
        errors: list[Exception] = []

        def pairs() -> Iterator[tuple[str, Any]]:
            """Yield each text and the item that it came in, up to an error, which may be the iterable's own."""
            try:
                for index, item in enumerate(texts):
                    text = item[0] if isinstance(item, tuple) and len(item) == 2 else item
                    _check_text(text, f"texts[{index}]")
                    yield text, item
            except Exception as error:
                errors.append(error)

        for batch in in_runs(pairs(), lambda pair: len(pair[0]), CHARACTERS_PER_BATCH, batch_size):
            documents = self._engine.documents([text for text, _ in batch], self._rules.read)
            for (_, item), document in zip(batch, documents, strict=True):
                yield (document, item[1]) if isinstance(item, tuple) else document
        if errors:
            raise errors[0]

    @overload
    def tag(self, words: Sequence[str]) -> list[str]: ...  # type: ignore[overload-overlap]  # a str is both
    @overload
    def tag(self, words: Sequence[Sequence[str]]) -> list[list[str]]: ...
    def tag(self, words: Sequence[Any]) -> list[Any]:
        """Tag words that are already split: one list of words → its IOB2 tags, a list of such lists → theirs."""
        if isinstance(words, str):
            raise TypeError("words: expected a list of words, got a str; call the tagger itself to tag a text")
        words = list(words)
        if not words or isinstance(words[0], str):
            return self.documents_of([words])[0].tags
        return [document.tags for document in self.documents_of(words)]

    def documents_of(self, texts: Iterable[Sequence[str] | Sequence[Sequence[str]]]) -> list[Document]:
        """Tag texts that are already split into words; each document's text is its words joined by single spaces.

        A text is its words, or its sentences, each a list of words: a model that sees breaks then sees where they end.
        """
        return self._engine.documents([_joined(text) for text in texts], self._rules.read_words)


def _shown(results: Iterator[Any], total: int | None) -> Iterator[Any]:
    """Yield the results while a bar shows how far they are."""
    try:
        from tqdm import tqdm
    except ImportError:
        raise ImportError("progress: tqdm is missing: pip install 'nerlite[progress]'") from None
    n_words, start = 0, time.perf_counter()
    with tqdm(total=total, unit=" texts") as bar:
        for result in results:
            yield result
            document = result[0] if isinstance(result, tuple) else result
            n_words += len(document.bounds) // 2
            bar.set_postfix_str(f"{n_words / (time.perf_counter() - start):,.0f} words/s", refresh=False)
            bar.update()


def _check_text(text: Any, name: str) -> None:
    if not isinstance(text, str):
        raise TypeError(f"{name}: expected str, got {type(text).__name__}")


def _check_texts(texts: Any) -> None:
    """Refuse what would be gone through by its characters, bytes, keys or columns."""
    if isinstance(texts, str):
        raise TypeError("texts: expected an iterable of texts, got a str; call the tagger itself to tag a text")
    if isinstance(texts, (bytes, bytearray, Mapping)) or hasattr(texts, "columns"):
        raise TypeError(f"texts: expected an iterable of texts, got a {type(texts).__name__}"
                        + ("; take the column that has the texts" if hasattr(texts, "columns") else ""))


def _joined(text: Sequence[Any]) -> Words:
    """Return the words of a text that is split into words, or into sentences of words."""
    items = _listed(text)
    sentences = [items] if not items or isinstance(items[0], str) else list(map(_listed, items))
    words = list(itertools.chain.from_iterable(sentences))
    for word in words:
        if not isinstance(word, str):
            raise TypeError(f"words: expected str, got {word!r:.80}")
    return join_words(words, itertools.accumulate(map(len, sentences)))


def _listed(words: Any) -> list[Any]:
    if isinstance(words, str) or not isinstance(words, Iterable):
        raise TypeError(f"words: expected lists of str, got {words!r:.80}")
    return list(words)


def _positive(name: str, value: SupportsIndex, most: int | None = None) -> int:
    """Return an argument's value as int; most: the largest that it may be."""
    if not isinstance(value, SupportsIndex):
        raise TypeError(f"{name}: expected int, got {value!r}")
    if (number := operator.index(value)) < 1:
        raise ValueError(f"{name}: expected at least 1, got {number}")
    if most and number > most:
        raise ValueError(f"{name}: expected at most {most}, got {number}")
    return number


def find_model(model: AnyPath | None) -> str:
    """Return the directory of a model given by path or by the name of one that is shipped; None is the default."""
    if model is not None and os.path.isdir(model):
        return os.fspath(model)
    here, name = os.path.dirname(__file__), DEFAULT_MODEL if model is None else str(model)
    if not os.path.isdir(here):
        raise ModelError(f"{name!r}: no such directory, and nerlite lies in an archive, {os.path.dirname(here)}, where "
                         "it cannot read its models and kernels: unpack it, and put that folder on the path instead")
    folders = [os.path.join(here, "models"), os.path.join(os.path.dirname(here), "weights")]
    shipped = {name: os.path.join(folder, name) for folder in reversed(folders) if os.path.isdir(folder)
               for name in os.listdir(folder) if os.path.isdir(os.path.join(folder, name))}
    if name not in shipped:
        raise ModelError(f"{name!r}: no such directory, and no shipped model of that name "
                         f"(shipped: {', '.join(sorted(shipped)) or 'none'})"
                         + (HUB_NAME if name.count("/") == 1 and not os.path.isabs(name) else ""))
    return shipped[name]
