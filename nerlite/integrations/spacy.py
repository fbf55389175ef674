"""nerlite as a component of a spaCy pipeline: `nlp.add_pipe("nerlite")`."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import nerlite
from nerlite.document import Entity
from nerlite.integrations.hosts import needs
from nerlite.pipeline import MODEL_FILES

with needs("spacy"):
    import srsly
    from spacy.language import Language
    from spacy.pipeline import Pipe
    from spacy.scorer import get_ner_prf
    from spacy.tokens import Doc, Span, SpanGroup
    from spacy.util import minibatch

SCORE = "nerlite_score"
# A model's card goes with its files where there is one, for its licence.
CARD = "README.md"

if not Span.has_extension(SCORE):
    Span.set_extension(SCORE, default=None)


@Language.factory(
    "nerlite",
    assigns=["doc.ents", "token.ent_iob", "token.ent_type"],
    default_config={"model": None, "backend": "auto", "threads": None, "window": False, "spans_key": None,
                    "overwrite": False},
    default_score_weights={"ents_f": 1.0, "ents_p": 0.0, "ents_r": 0.0, "ents_per_type": None},
)
def make_pipe(nlp: Language, name: str, model: str | None, backend: str, threads: int | None, window: bool,
              spans_key: str | None, overwrite: bool) -> NerlitePipe:
    """Make the component; its settings are the factory's config. See `NerlitePipe`."""
    options = {"backend": backend, "threads": threads, "window": window}
    return NerlitePipe(name, model, options, spans_key=spans_key, overwrite=overwrite)


class NerlitePipe(Pipe):
    """Finds entities in the texts of spaCy's documents.

    It reads `doc.text` by nerlite's own words, so it may stand anywhere in a pipeline and needs no other component. An
    entity that ends within one of spaCy's tokens takes all of it, and two that share a token become one, with the
    label and the score of the likelier. Each span's score is `span._.nerlite_score`.

    model, options: as in `nerlite.load`; the model is read when it is first needed.
    spans_key: write to doc.spans[spans_key], where spans may share tokens, instead of doc.ents; their scores are then
    in the group's attrs["scores"] too, as spaCy's spancat has it.
    overwrite: whether doc.ents loses what it holds already, as of an entity ruler; otherwise that stays, and an entity
    that shares a token with it is left out, as spaCy's own recognizer has it.
    """

    def __init__(self, name: str, model: str | None, options: dict[str, Any], *, spans_key: str | None = None,
                 overwrite: bool = False) -> None:
        self.name = name
        self.spans_key, self.overwrite = spans_key, overwrite
        self._model, self._options = model, options
        self._tagger: nerlite.Tagger | None = None
        self._came_as_bytes = False

    def __reduce__(self) -> tuple[Callable[..., NerlitePipe], tuple[Any, ...]]:
        """Pickle as settings, as a tagger does; a model that came as bytes goes along as bytes."""
        return _unpickle, (self.name, self._model, self._options, self.spans_key, self.overwrite,
                           self.to_bytes() if self._came_as_bytes else None)

    @property
    def tagger(self) -> nerlite.Tagger:
        """The tagger; ModelError where its model cannot be read."""
        if self._tagger is None:
            self._tagger = nerlite.load(self._model, **self._options)
        return self._tagger

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that entities may have; none where the model cannot be read."""
        try:
            tagger = self.tagger
        except nerlite.ModelError:  # spaCy asks while a saved pipeline is loaded, before the saved model's turn
            return ()
        return tuple(tagger.labels)

    def __call__(self, doc: Doc) -> Doc:
        """Set a document's entities."""
        for _ in self.pipe([doc]):
            pass
        return doc

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 256) -> Iterator[Doc]:
        """Set the entities of many documents, a batch at a time; yield them in order."""
        tagger, on_error = self.tagger, self.get_error_handler()
        for docs in minibatch(stream, batch_size):
            try:
                for doc, tagged in zip(docs, tagger.pipe([doc.text for doc in docs]), strict=True):
                    self._annotate(doc, tagged.entities)
            except Exception as error:
                on_error(self.name, self, docs, error)
            else:
                yield from docs

    def _annotate(self, doc: Doc, entities: Sequence[Entity]) -> None:
        spans = [doc.char_span(entity.start, entity.end, entity.label, alignment_mode="expand") for entity in entities]
        scored = [(span, entity.score) for span, entity in zip(spans, entities, strict=True)]
        if self.spans_key is not None:
            doc.spans[self.spans_key] = SpanGroup(
                doc, name=self.spans_key, spans=spans,
                attrs={"scores": np.array([score for _, score in scored])})
        else:
            kept = [] if self.overwrite else list(doc.ents)
            taken = {token.i for span in kept for token in span}
            scored = [(span, score) for span, score in _merged(scored)
                      if taken.isdisjoint(range(span.start, span.end))]
            doc.ents = [*kept, *(span for span, _ in scored)]
        for span, score in sorted(scored, key=lambda each: each[1]):  # of equal spans the likelier's score holds
            span._.set(SCORE, score)

    def score(self, examples: Iterable[Any], **_: Any) -> dict[str, Any]:
        """Return precision, recall and F of doc.ents, for `nlp.evaluate`."""
        scores: dict[str, Any] = get_ner_prf(examples)
        return scores

    def to_disk(self, path: str | os.PathLike[str], *, exclude: Iterable[str] = ()) -> None:
        """Write the model into the folder `path`, so that a saved pipeline gives the same answers anywhere."""
        os.makedirs(path, exist_ok=True)
        for name, file in self._files().items():
            target = os.path.join(path, name)
            if os.path.exists(target) and os.path.samefile(file, target):
                continue  # saved where it was loaded from
            with tempfile.TemporaryDirectory(dir=path, prefix=".partial-") as staging:
                os.replace(shutil.copy(file, staging), target)

    def from_disk(self, path: str | os.PathLike[str], *, exclude: Iterable[str] = ()) -> NerlitePipe:
        """Take the model that `to_disk` wrote; ModelError where it cannot be read."""
        self._tagger = nerlite.load(path, **self._options)
        self._model, self._came_as_bytes = self._tagger.path, False
        return self

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        """Return the model's files as bytes."""
        packed: bytes = srsly.msgpack_dumps({name: Path(path).read_bytes() for name, path in self._files().items()})
        return packed

    def from_bytes(self, data: bytes, *, exclude: Iterable[str] = ()) -> NerlitePipe:
        """Take the model that `to_bytes` gave; its files lie in a temporary folder, to be saved from there again."""
        contents = srsly.msgpack_loads(data)
        if not isinstance(contents, dict) or not set(MODEL_FILES) <= set(contents) <= {*MODEL_FILES, CARD}:
            raise ValueError(f"{self.name}: expected bytes that to_bytes gave, of {', '.join(MODEL_FILES)}")
        folder = tempfile.mkdtemp(prefix="nerlite-")
        try:
            for name, content in contents.items():
                Path(folder, name).write_bytes(content)
            self.from_disk(folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        weakref.finalize(self.tagger, shutil.rmtree, folder, ignore_errors=True)
        self._came_as_bytes = True
        return self

    def _files(self) -> dict[str, str]:
        paths = {name: os.path.join(self.tagger.path, name) for name in (*MODEL_FILES, CARD)}
        return {name: path for name, path in paths.items() if name != CARD or os.path.isfile(path)}


def _unpickle(name: str, model: str | None, options: dict[str, Any], spans_key: str | None, overwrite: bool,
              packed: bytes | None) -> NerlitePipe:
    pipe = NerlitePipe(name, model, options, spans_key=spans_key, overwrite=overwrite)
    return pipe if packed is None else pipe.from_bytes(packed)


def _merged(scored: Iterable[tuple[Span, float]]) -> list[tuple[Span, float]]:
    """Return spans, in the order of their text, of which no two share a token."""
    merged: list[tuple[Span, float]] = []
    for span, score in scored:
        if merged and span.start < merged[-1][0].end:
            last, last_score = merged.pop()
            label = span.label_ if score > last_score else last.label_
            span = Span(span.doc, last.start, max(last.end, span.end), label)
            score = max(score, last_score)
        merged.append((span, score))
    return merged
