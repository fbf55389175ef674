"""nerlite in a real Presidio, which finds no spaCy model and may not fetch one."""

import pytest

pytest.importorskip("presidio_analyzer")

import spacy
from presidio_analyzer import AnalyzerEngine, BatchAnalyzerEngine, RecognizerRegistry
from presidio_analyzer.nlp_engine import SpacyNlpEngine

import nerlite
from nerlite.integrations.presidio import NerliteNlpEngine, NerliteRecognizer

pytestmark = pytest.mark.filterwarnings("default")
TEXT = "My name is John Smith, my phone number is 212-555-5555, I live in Berlin and work for Acme."
NAMES = {"PER": "PERSON", "LOC": "LOCATION", "ORG": "ORGANIZATION"}


@pytest.fixture(autouse=True)
def no_download(monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError(f"a model is downloaded: {arguments}")

    monkeypatch.setattr(spacy.cli, "download", refuse)


@pytest.fixture(scope="module")
def tagger():
    return nerlite.load()


@pytest.fixture(scope="module")
def analyzer():
    return AnalyzerEngine(nlp_engine=NerliteNlpEngine(), supported_languages=["en"])


class BlankEngine(SpacyNlpEngine):
    """Somebody's own engine, without entities."""

    def load(self):
        self.nlp = {"en": spacy.blank("en")}


@pytest.fixture(scope="module")
def with_recognizer():
    registry = RecognizerRegistry()
    registry.add_recognizer(NerliteRecognizer())
    return AnalyzerEngine(registry=registry, nlp_engine=BlankEngine(), supported_languages=["en"])


def found(results):
    return sorted((each.start, each.end, each.entity_type, each.score) for each in results)


def expected(document, names=NAMES):
    return [(each.start, each.end, names[each.label], each.score) for each in document.entities if each.label in names]


def test_both_report_nerlites_entities_with_its_scores(analyzer, with_recognizer, tagger):
    answer = expected(tagger(TEXT))
    assert [kind for _, _, kind, _ in answer] == ["PERSON", "LOCATION", "ORGANIZATION"]
    kinds = list(NAMES.values())
    assert found(analyzer.analyze(TEXT, "en", kinds)) == answer
    assert found(with_recognizer.analyze(TEXT, "en", kinds)) == answer
    assert found(with_recognizer.analyze(TEXT, "en", ["PERSON"])) == answer[:1]
    assert 0.85 not in {score for *_, score in answer}


def test_presidios_other_recognizers_see_their_context(analyzer):
    """The word "phone" before a number raises its score, which takes lemmas that a blank pipeline does not have."""
    scores = [[each.score for each in analyzer.analyze(text, "en", ["PHONE_NUMBER"])]
              for text in (TEXT, TEXT.replace("phone number", "Xyzzy"))]
    assert scores[0] > scores[1] > []


def test_a_batch_engine_tags_in_batches(analyzer, tagger, monkeypatch):
    texts = [TEXT, "", "Angela Merkel flew from Paris to Rome.", 5, "nothing"] * 60
    sizes = []
    original = nerlite.Tagger.pipe

    def pipe(self, texts, **options):
        sizes.append(len(texts))
        return original(self, texts, **options)

    kinds = list(NAMES.values())
    monkeypatch.setattr(nerlite.Tagger, "pipe", pipe)
    results = BatchAnalyzerEngine(analyzer).analyze_iterator(texts, "en", entities=kinds)
    assert sizes == [256, 44]
    assert [found(each) for each in results] == [expected(tagger(str(text))) for text in texts]
    rows = list(BatchAnalyzerEngine(analyzer).analyze_dict({"body": [TEXT, "none"], "name": "Angela Merkel"}, "en",
                                                           entities=kinds))
    assert [found(each) for each in rows[0].recognizer_results] == [expected(tagger(TEXT)), []]
    assert found(rows[1].recognizer_results) == expected(tagger("Angela Merkel"))


def test_names_within_one_token_are_covered(analyzer, with_recognizer, tagger):
    text = "They met Obama_and_Merkel(Berlin)and/or_Bush/Putin there."
    tokens = spacy.blank("en")(text)
    results = analyzer.analyze(text, "en", list(NAMES.values()))
    entities = [each for each in tagger(text).entities if each.label in NAMES]
    assert entities
    for entity in entities:
        token = tokens.char_span(entity.start, entity.end, alignment_mode="expand")
        assert any(each.start <= token.start_char and token.end_char <= each.end for each in results)


def test_labels_are_chosen(tagger):
    text = "The German team beat Acme."
    names = {"MISC": "NRP", "ORG": "COMPANY"}
    answer = expected(tagger(text), names)
    assert [kind for _, _, kind, _ in answer] == ["NRP", "COMPANY"]
    engine = NerliteNlpEngine(labels=names)
    analyzer = AnalyzerEngine(nlp_engine=engine, supported_languages=["en"])
    assert found(analyzer.analyze(text, "en", ["NRP", "COMPANY"])) == answer
    recognizer = NerliteRecognizer(labels=names)
    assert recognizer.supported_entities == ["COMPANY", "NRP"]
    assert found(recognizer.analyze(text, ["NRP", "COMPANY"])) == answer
    for wrong in ({}, {"PERSON": "PERSON"}):
        with pytest.raises(ValueError, match="labels of the model, which are LOC, MISC, ORG, PER"):
            NerliteRecognizer(labels=wrong)
        with pytest.raises(ValueError, match="labels of the model, which are LOC, MISC, ORG, PER"):
            NerliteNlpEngine(labels=wrong).load()


def test_languages_have_their_own_tokens():
    engine = NerliteNlpEngine(languages=["en", "de"], threads=1)
    analyzer = AnalyzerEngine(nlp_engine=engine, supported_languages=["en", "de"])
    assert [each.entity_type for each in analyzer.analyze("Angela Merkel wohnt hier.", "de")] == ["PERSON"]


def test_a_missing_model_says_so():
    with pytest.raises(nerlite.ModelError, match="no-such-model"):
        NerliteRecognizer("no-such-model")
    with pytest.raises(nerlite.ModelError, match="no-such-model"):
        AnalyzerEngine(nlp_engine=NerliteNlpEngine("no-such-model"))


def test_the_example_prints_what_it_says(check_example):
    check_example("in_presidio.py")
