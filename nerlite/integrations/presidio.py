"""nerlite in Presidio: an NLP engine, which tags in batches, and a recognizer beside another engine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import nerlite
from nerlite.integrations.hosts import needs

with needs("presidio"):
    import spacy
    from presidio_analyzer import AnalysisExplanation, EntityRecognizer, RecognizerResult
    from presidio_analyzer.nlp_engine import NerModelConfiguration, NlpArtifacts, SpacyNlpEngine
    from spacy.tokens import Doc, Span

# nerlite's labels and Presidio's names for them; MISC has none.
LABELS = {"PER": "PERSON", "LOC": "LOCATION", "ORG": "ORGANIZATION"}
KEY = "nerlite"  # of a text's spans in its spaCy document
BATCH_SIZE = 256


class NerliteNlpEngine(SpacyNlpEngine):
    """An NLP engine for Presidio without a spaCy model: spaCy's tokens, nerlite's entities and their probabilities.

    `AnalyzerEngine(nlp_engine=NerliteNlpEngine())` needs no more: Presidio's own recognizer reports what this engine
    finds, and `BatchAnalyzerEngine` has it tag in batches. Two names that share one of spaCy's tokens are both
    reported, each as all of that token.

    languages: whose texts come; spaCy's tokens and stop words are theirs, the model is the same.
    labels: the model's labels and what Presidio calls them; entities with another label are left out. By default those
    of `LABELS` that the model has.
    model, and backend, threads and window among the options: as in `nerlite.load`.
    """

    engine_name = "nerlite"

    def __init__(self, model: str | None = None, *, languages: Sequence[str] = ("en",),
                 labels: Mapping[str, str] | None = None, **options: Any) -> None:
        super().__init__([{"lang_code": language, "model_name": "nerlite"} for language in languages])
        self._labels, self._settings = labels, {"model": model, "spans_key": KEY, **options}

    def load(self) -> None:
        """Read the model; ModelError where it cannot be read, ValueError for labels that it does not have."""
        pipelines = {}
        for model in self.models:
            pipelines[model["lang_code"]] = nlp = spacy.blank(model["lang_code"])
            labels = _chosen(self._labels, nlp.add_pipe("nerlite", config=self._settings).tagger)
            self.ner_model_configuration = NerModelConfiguration(model_to_presidio_entity_mapping=labels)
        self.nlp = pipelines

    def process_batch(self, texts: Iterable[Any], language: str, batch_size: int = 1, n_process: int = 1,
                      as_tuples: bool = False) -> Iterator[Any]:
        """Yield (text, artifacts) of each text; batch_size: more than Presidio's default are tagged at a time."""
        yield from super().process_batch(texts, language, max(batch_size, BATCH_SIZE), n_process, as_tuples)

    def _get_entities(self, doc: Doc) -> list[Span]:
        return [span for span, _ in self._scored(doc)]

    def _get_scores_for_entities(self, doc: Doc) -> list[float]:
        return [score for _, score in self._scored(doc)]

    def _scored(self, doc: Doc) -> list[tuple[Span, float]]:
        group, labels = doc.spans[KEY], self.ner_model_configuration.model_to_presidio_entity_mapping
        return [(span, float(score)) for span, score in zip(group, group.attrs["scores"], strict=True)
                if span.label_ in labels]

    def _doc_to_nlp_artifact(self, doc: Doc, language: str) -> NlpArtifacts:
        for token in doc:  # which has no lemma in a blank pipeline; Presidio finds context words by them
            token.lemma_ = token.lower_
        return super()._doc_to_nlp_artifact(doc, language)


class NerliteRecognizer(EntityRecognizer):
    """A recognizer for Presidio that tags the text itself, whatever NLP engine there is.

    It is called text by text: where many texts come, `NerliteNlpEngine` is faster. Arguments as there.
    """

    def __init__(self, model: str | None = None, *, supported_language: str = "en",
                 labels: Mapping[str, str] | None = None, context: list[str] | None = None, **options: Any) -> None:
        self._tagger = nerlite.load(model, **options)
        self._labels = _chosen(labels, self._tagger)
        super().__init__(sorted(set(self._labels.values())), supported_language=supported_language, context=context,
                         version=nerlite.__version__)

    def load(self) -> None:
        """Do nothing: the model is there already."""

    def analyze(self, text: str, entities: Sequence[str] | None, nlp_artifacts: NlpArtifacts | None = None
                ) -> list[RecognizerResult]:
        """Return what nerlite finds of the entities that are asked for, with its own probabilities."""
        results = []
        for entity in self._tagger(text).entities:
            kind = self._labels.get(entity.label)
            if kind is None or (entities and kind not in entities):
                continue
            explanation = AnalysisExplanation(recognizer=self.name, original_score=entity.score,
                                              textual_explanation=f"Identified as {entity.label} by nerlite")
            results.append(RecognizerResult(kind, entity.start, entity.end, entity.score, explanation, {
                RecognizerResult.RECOGNIZER_NAME_KEY: self.name,
                RecognizerResult.RECOGNIZER_IDENTIFIER_KEY: self.id}))
        return results


def _chosen(labels: Mapping[str, str] | None, tagger: nerlite.Tagger) -> dict[str, str]:
    """Return Presidio's names for labels of the model."""
    if labels is None:
        labels = {label: LABELS[label] for label in tagger.labels if label in LABELS}
    if not labels or not set(labels) <= set(tagger.labels):
        raise ValueError(f"labels: expected Presidio's names for labels of the model, which are "
                         f"{', '.join(tagger.labels)}; got {dict(labels)}")
    return dict(labels)
