"""nerlite in a real spaCy pipeline."""

import pickle
import random

import pytest

spacy = pytest.importorskip("spacy")

from spacy.tokens import Doc, DocBin, Span  # noqa: E402
from spacy.training import Example  # noqa: E402

import nerlite  # noqa: E402

TEXT = "My name is John and I work for Acme in Berlin."
TEXTS = [TEXT, "", "  \n ", "Angela Merkel flew to Washington, D.C.", "nothing here", "Łódź 🙂 and New York 🗽!"]


@pytest.fixture(scope="module")
def tagger():
    return nerlite.load()


@pytest.fixture(scope="module")
def nlp():
    nlp = spacy.blank("en")
    nlp.add_pipe("nerlite")
    return nlp


def found(doc):
    return [(span.text, span.label_, span._.nerlite_score) for span in doc.ents]


def expected(document):
    return [(entity.text, entity.label, entity.score) for entity in document.entities]


def pairs(doc):
    return [(span.text, span.label_) for span in doc.ents]


def test_ents_and_scores_are_nerlites(nlp, tagger):
    assert found(nlp(TEXT)) == expected(tagger(TEXT))
    assert pairs(nlp(TEXT)) == [("John", "PER"), ("Acme", "ORG"), ("Berlin", "LOC")]
    assert nlp.pipe_labels["nerlite"] == ["LOC", "MISC", "ORG", "PER"]


@pytest.mark.parametrize("n_process", [1, 2])
def test_pipe_gives_the_same_in_order(nlp, n_process):
    texts = TEXTS * 5
    random.Random(0).shuffle(texts)
    docs = list(nlp.pipe(texts, batch_size=7, n_process=n_process))
    assert [doc.text for doc in docs] == texts
    assert [found(doc) for doc in docs] == [found(nlp(text)) for text in texts]


def test_pipe_goes_through_batches(monkeypatch, nlp):
    sizes = []
    original = nerlite.Tagger.pipe

    def pipe(self, texts, **options):
        sizes.append(len(texts))
        return original(self, texts, **options)

    monkeypatch.setattr(nerlite.Tagger, "pipe", pipe)
    assert len(list(nlp.pipe([TEXT] * 70, batch_size=32))) == 70
    assert sizes == [32, 32, 6]


def test_every_entity_is_within_a_span_whatever_the_tokens(nlp, tagger):
    """spaCy's tokens of its own choice: cuts anywhere, so that names begin and end within tokens and share them."""
    text = "Angela Merkel met Obama and Bush of the U.S. in Berlin, Paris and New York for Acme Corp."
    entities = tagger(text).entities
    assert len(entities) >= 7
    grouped = spacy.blank("en")
    grouped.add_pipe("nerlite", config={"spans_key": "names"})
    rng = random.Random(1)
    for n_cuts in (0, 1, 3, 8, 20, 60):
        cuts = sorted(rng.sample(range(1, len(text)), n_cuts))
        words = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        doc = nlp(Doc(nlp.vocab, words=words, spaces=[False] * len(words)))
        assert doc.text == text
        for entity in entities:
            around = [span for span in doc.ents if span.start_char <= entity.start and entity.end <= span.end_char]
            assert len(around) == 1, (words, entity)
        for span in doc.ents:
            held = [entity for entity in entities if span.start_char <= entity.start < span.end_char]
            likeliest = max(held, key=lambda entity: entity.score)
            assert (span.label_, span._.nerlite_score) == (likeliest.label, likeliest.score)
        doc = grouped(Doc(nlp.vocab, words=words, spaces=[False] * len(words)))
        assert doc.ents == ()
        group = doc.spans["names"]
        assert [span.label_ for span in group] == [entity.label for entity in entities]
        assert list(group.attrs["scores"]) == pytest.approx([entity.score for entity in entities])
        for span, entity in zip(group, entities, strict=True):
            assert span.start_char <= entity.start < entity.end <= span.end_char


def test_what_a_ruler_set_stays_unless_it_is_to_be_overwritten():
    for overwrite, label in ((False, "PRODUCT"), (True, "ORG")):
        nlp = spacy.blank("en")
        nlp.add_pipe("entity_ruler").add_patterns([{"label": "PRODUCT", "pattern": "Acme"}])
        nlp.add_pipe("nerlite", config={"overwrite": overwrite})
        doc = nlp(TEXT)
        assert pairs(doc) == [("John", "PER"), ("Acme", label), ("Berlin", "LOC")]
        assert {span.text: span._.nerlite_score is None for span in doc.ents} == {
            "John": False, "Acme": not overwrite, "Berlin": False}


def test_a_saved_pipeline_holds_its_model(nlp, tmp_path, write_model):
    model = write_model(seed=3)
    own = spacy.blank("en")
    own.add_pipe("nerlite", config={"model": str(model)})
    answer = found(own(TEXT))
    assert answer
    assert answer != found(nlp(TEXT))
    own.to_disk(tmp_path / "saved")
    model.rename(tmp_path / "gone")
    loaded = spacy.load(tmp_path / "saved")
    assert found(loaded(TEXT)) == answer
    loaded.to_disk(tmp_path / "saved")  # over itself
    loaded.to_disk(tmp_path / "again")
    assert found(spacy.load(tmp_path / "again")(TEXT)) == answer
    assert not list(tmp_path.rglob(".partial*"))

    nlp.to_disk(tmp_path / "saved")  # another model over it, while that one is in use
    assert found(loaded(TEXT)) == answer
    assert found(spacy.load(tmp_path / "saved")(TEXT)) == found(nlp(TEXT))


def test_bytes_and_pickles_hold_the_model(tmp_path, write_model):
    own = spacy.blank("en")
    own.add_pipe("nerlite", config={"model": str(write_model(seed=3))})
    other = spacy.blank("en")
    pipe = other.add_pipe("nerlite")
    other.from_bytes(own.to_bytes())
    assert found(other(TEXT)) == found(own(TEXT))
    copied = pickle.loads(pickle.dumps(pipe))
    del other, pipe
    assert found(copied(own.make_doc(TEXT))) == found(own(TEXT))
    with pytest.raises(ValueError, match="expected bytes that to_bytes gave"):
        copied.from_bytes(b"\x80")
    with pytest.raises(nerlite.ModelError):
        copied.from_disk(tmp_path)
    assert found(copied(own.make_doc(TEXT))) == found(own(TEXT))


def test_documents_travel_with_their_scores(nlp):
    doc = nlp(TEXT)
    packed = DocBin(docs=[doc], store_user_data=True).to_bytes()
    [other] = DocBin().from_bytes(packed).get_docs(spacy.blank("en").vocab)
    assert found(other) == found(doc)


def test_evaluate_scores_ents(nlp):
    doc = nlp.make_doc(TEXT)
    gold = nlp.make_doc(TEXT)
    gold.ents = [Span(gold, 3, 4, "PER"), Span(gold, 8, 9, "LOC")]  # the second is an ORG
    scores = nlp.evaluate([Example(doc, gold)])
    assert scores["ents_p"] == pytest.approx(1 / 3)
    assert scores["ents_r"] == pytest.approx(1 / 2)


def test_a_missing_model_says_so_and_is_no_batchs_error():
    nlp = spacy.blank("en")
    nlp.add_pipe("nerlite", config={"model": "no-such-model"})
    nlp.set_error_handler(lambda *_: None)
    with pytest.raises(nerlite.ModelError, match="no-such-model"):
        list(nlp.pipe(TEXTS))


def test_displacy_draws_documents(tagger):
    drawn = spacy.displacy.render(tagger(TEXT).to_displacy(), style="ent", manual=True, jupyter=False)
    assert drawn.count("<mark") == len(tagger(TEXT).entities) == 3
    assert "PER" in drawn


def test_the_example_prints_what_it_says(check_example):
    check_example("in_spacy.py")
