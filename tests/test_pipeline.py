"""The tagger as its users see it: on a tiny random model, which finds entities, if no sensible ones."""

import itertools
import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import TAGS

import nerlite
from nerlite import engine, pieces, rules
from nerlite.batch import make_batch
from nerlite.config import SparkNLPConfig
from nerlite.tags import is_boundary, to_spans

EXAMPLE = Path(__file__).parent.parent / "examples" / "eighty_days.txt"
TEXTS = ["My name is John and I work for Acme in Berlin.", "", "EU rejects German call.", " \n ", "\U0001f600!",
         "the john of berlin " * 60, "a", "U.N. 3.14 (x) e\u0301\u0301 \u0301 中国", "x.y." * 200, "ok \ud800 done"]


@pytest.fixture(scope="module")
def tagger(tiny_model, backend):
    return nerlite.load(tiny_model, backend=backend, threads=1)


@pytest.fixture(scope="module")
def spark_model(write_model, tiny_config):
    """The directory of a tiny random model that follows Spark NLP's rules, all variants of its layers included."""
    chars, context = tiny_config.chars, tiny_config.context
    return write_model(
        sparknlp=SparkNLPConfig(max_sentence_length=32, include_confidence=True), crf_boundaries=False,
        chars=chars._replace(unit="utf16", cnn=chars.cnn._replace(pool="longest"),
                      lstm=chars.lstm._replace(gate_activation="hard_sigmoid")),
        context=context._replace(num_layers=3, cell="peephole"))


def test_labels_are_those_of_the_tags(tagger):
    assert tagger.labels == ["LOC", "MISC", "ORG", "PER"]


def test_a_spare_column_of_spark_nlp_is_no_label(write_model):
    model = write_model(tags=("O", "B-X", "I-X", "B-geo-loc", "I-geo-loc", "<unused-5>"), scheme="IOB1",
                        sparknlp=SparkNLPConfig(max_sentence_length=32))
    assert nerlite.load(model, backend="numpy").labels == ["X", "geo-loc"]


def test_entities_tags_and_offsets_agree(tagger):
    found = 0
    for text in TEXTS:
        doc = tagger(text)
        assert doc.text == text
        assert doc.truncated_at is None
        assert [text[start:end] for start, end in doc.offsets] == doc.words
        assert "".join(doc.words) == "".join(text.split())
        spans = to_spans(doc.tags)
        assert [(e.label, e.start, e.end) for e in doc.entities] == [
            (span.label, doc.offsets[span.start][0], doc.offsets[span.stop - 1][1]) for span in spans]
        for entity in doc.entities:
            assert text[entity.start:entity.end] == entity.text
            assert 0 < entity.score <= 1
        found += len(doc.entities)
    assert found > 5


@pytest.mark.parametrize("kind", ["float32", "float16", "int8", "wide", "spark", "spark by windows"])
def test_the_same_text_gives_the_same_bits_in_any_company(write_model, tiny_config, spark_model, backend, kind):
    if kind.startswith("spark"):
        model = spark_model
    elif kind == "wide":  # where BLAS changes kernels by the number of rows
        model = write_model(encoder=tiny_config.encoder._replace(hidden_size=192, intermediate_size=600))
    else:
        model = write_model(dtype=kind)
    one, several = (nerlite.load(model, backend=backend, threads=threads, window=kind.endswith("windows"))
                    for threads in (1, 3))
    alone = [one(text) for text in TEXTS]
    assert list(one.pipe(TEXTS)) == alone
    assert list(one.pipe(reversed(TEXTS), batch_size=3)) == alone[::-1]
    assert list(several.pipe(TEXTS * 2)) == alone * 2


@pytest.mark.parametrize("threads", [1, 3])
def test_a_long_text_is_the_same_however_many_passes_are_made_ready_at_once(tiny_model, backend, monkeypatch, threads):
    tagger = nerlite.load(tiny_model, backend=backend, threads=threads)
    text = "\n".join(TEXTS * 3)
    monkeypatch.setattr(rules, "PART", 30)
    expected = tagger(text)
    monkeypatch.setattr(engine, "PASSES_PER_THREAD", 1)
    monkeypatch.setattr(engine, "ROWS_DECODED_TOGETHER", 50)
    monkeypatch.setattr(engine, "PIECES_PER_PASS", 30)
    monkeypatch.setattr(pieces, "AT_ONCE", 7)
    assert tagger(text) == expected


def test_parts_answer_for_each_word_once_and_see_their_neighbours(monkeypatch):
    monkeypatch.setattr(rules, "PART", 10)
    monkeypatch.setattr(rules, "MARGIN", 4)
    assert rules.parts_of(0) == []
    assert rules.parts_of(10) == [(0, 10, 0, 10)]
    assert rules.parts_of(23) == [(0, 14, 0, 10), (6, 23, 10, 20), (16, 23, 20, 23)]


LIST = "\n".join(["Boris Yeltsin  3", "Sri Lanka  3", "New York City  3", "Yahoo! Inc  3"] * 40)


@pytest.mark.parametrize("text", [EXAMPLE.read_text(encoding="utf-8"), LIST])
@pytest.mark.parametrize("part", [50, 53, 64])
def test_decoding_a_text_in_parts_changes_no_entity(monkeypatch, text, part):
    ner = nerlite.load(agreement=False)  # a part agrees with itself alone
    whole = ner(text)
    monkeypatch.setattr(rules, "PART", part)
    monkeypatch.setattr(rules, "MARGIN", 25)
    monkeypatch.setattr(engine, "ROWS_DECODED_TOGETHER", 120)
    parts = ner(text)
    assert len(rules.parts_of(len(parts.words))) > 5
    assert parts.tags == whole.tags
    np.testing.assert_allclose([entity.score for entity in parts.entities],
                               [entity.score for entity in whole.entities], atol=1e-4)


def test_a_document_is_the_same_whether_or_not_its_words_were_asked_for(tagger):
    asked, other = tagger(TEXTS[5]), tagger(TEXTS[5])
    assert len(asked.words) == len(asked.offsets) == len(asked.tags) == 240
    assert asked == other == pickle.loads(pickle.dumps(asked))
    fewer = asked.only(asked.entities[1:])
    assert fewer.entities == asked.entities[1:]
    assert len(to_spans(fewer.tags)) == len(to_spans(asked.tags)) - 1 == len(fewer.entities)


def test_a_model_by_spark_nlps_rules_reads_on_by_windows(spark_model, backend):
    plain, windowed = (nerlite.load(spark_model, backend=backend, window=window) for window in (False, True))
    for text in TEXTS:
        one, other = plain(text), windowed(text)
        assert other.truncated_at is None
        assert one.words == other.words
        if one.truncated_at is None:
            assert one == other
        else:
            assert not any(entity.start > one.truncated_at for entity in one.entities)
    assert plain(TEXTS[5]).truncated_at is not None
    assert plain(TEXTS[0]).confidences.keys() == dict.fromkeys(range(len(plain(TEXTS[0]).words))).keys()


def test_an_int8_encoder_gives_the_same_bits_by_every_backend(write_model, backend):
    taggers = [nerlite.load(write_model(dtype="int8"), backend=name) for name in ("numpy", backend)]
    for text in TEXTS:
        for each in taggers[0]._rules.read(text).sequences:
            b = make_batch([each])
            vectors = [tagger._network.encoder(b.piece_ids, b.positions, b.piece_offsets, b.first_pieces,
                                               b.word_offsets) for tagger in taggers]
            np.testing.assert_array_equal(*vectors)


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8"])
def test_backends_agree(write_model, backend, dtype):
    path = write_model(dtype=dtype)
    results = [list(nerlite.load(path, backend=name).pipe(TEXTS)) for name in ("numpy", backend)]
    for one, other in zip(*results, strict=True):
        assert one.tags == other.tags
        np.testing.assert_allclose([e.score for e in one.entities], [e.score for e in other.entities], atol=1e-4)


def test_int8_is_close_to_float32(write_model):
    one, other = (nerlite.load(write_model(dtype=dtype)) for dtype in ("float32", "int8"))
    same = [a == b for text in TEXTS for a, b in zip(one(text).tags, other(text).tags, strict=True)]
    assert np.mean(same) > 0.9


def test_pipe_streams_keeps_order_and_passes_context(tagger):
    def endless():
        i = 0
        while True:
            yield f"john {i}", i
            i += 1

    results = tagger.pipe(endless(), batch_size=4)
    assert [(doc.text, context) for doc, context in (next(results) for _ in range(10))] == [
        (f"john {i}", i) for i in range(10)]
    with pytest.raises(ValueError, match="batch_size: expected at least 1, got 0"):
        next(tagger.pipe([], batch_size=0))


def test_a_bad_text_is_named_after_the_answers_to_all_before_it(tagger):
    def broken():
        yield from TEXTS
        raise OSError("gone")

    for texts, error, message in (([*TEXTS, 7, "x"], TypeError, rf"texts\[{len(TEXTS)}\]: expected str, got int"),
                                  ([*TEXTS, None], TypeError, "expected str, got NoneType"),
                                  (broken(), OSError, "gone")):
        answered = []
        with pytest.raises(error, match=message):
            answered.extend(tagger.pipe(texts, batch_size=4))
        assert [doc.text for doc in answered] == TEXTS


@pytest.mark.parametrize("texts", [{"a": "x"}, b"bytes", SimpleNamespace(columns=["text"])])
def test_what_would_be_gone_through_by_keys_or_columns_is_refused(tagger, texts):
    with pytest.raises(TypeError, match=f"texts: expected an iterable of texts, got a {type(texts).__name__}"):
        next(tagger.pipe(texts))


def test_a_bar_shows_how_far_texts_are(tagger, capfd):
    pytest.importorskip("tqdm")
    assert list(tagger.pipe(TEXTS, progress=True)) == [tagger(text) for text in TEXTS]
    assert list(tagger.pipe(((text, i) for i, text in enumerate(TEXTS[:2])), progress=True))[1][1] == 1
    assert f"{len(TEXTS)}/{len(TEXTS)}" in capfd.readouterr().err


def test_tag_words(tagger):
    words = ["EU", "rejects", "German", "call", "New York", ""]
    tags = tagger.tag(words)
    assert len(tags) == len(words)
    assert tagger.tag([words, [], words[:2]]) == [tags, [], tagger.tag(words[:2])]
    assert tagger.tag([]) == []
    assert tagger.tag(word for word in words) == tags
    assert tagger.tag(np.array(words[:4])) == tagger.tag(words[:4])


@pytest.mark.parametrize("wrong", [b"bytes", None, 3])
def test_a_text_that_is_none_is_refused(tagger, wrong):
    with pytest.raises(TypeError, match=f"text: expected str, got {type(wrong).__name__}"):
        tagger(wrong)
    with pytest.raises(TypeError, match="words: expected"):
        tagger.tag([["a", wrong]])


def test_a_str_is_no_list_of_words(tagger):
    with pytest.raises(TypeError, match="words: expected a list of words, got a str"):
        tagger.tag("EU rejects")
    with pytest.raises(TypeError, match="words: expected lists of str"):
        tagger.tag([["EU"], "rejects"])
    with pytest.raises(TypeError, match=r"words: expected lists of str, got 1"):
        tagger.tag([1])
    with pytest.raises(TypeError, match=r"words: expected str, got None"):
        tagger.tag(["EU", None])
    assert tagger.tag([iter(["EU", "rejects"])]) == tagger.tag([["EU", "rejects"]])
    with pytest.raises(TypeError, match="texts: expected an iterable of texts, got a str"):
        next(tagger.pipe("EU rejects"))
    with pytest.raises(TypeError, match=r"texts\[0\]: expected str, got tuple"):
        next(tagger.pipe([("EU", "rejects", "call")]))


def test_threads_share_a_tagger(tagger):
    expected = [tagger(text) for text in TEXTS]
    results = {}

    def work(key):
        results[key] = [tagger(text) for text in TEXTS]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(result == expected for result in results.values())


def test_threads_are_the_cores_that_the_process_may_use(tiny_model, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert 1 <= nerlite.load(tiny_model).threads <= os.cpu_count()
    for wrong in ("0", "²", "many"):
        monkeypatch.setenv("OMP_NUM_THREADS", wrong)
        assert 1 <= nerlite.load(tiny_model).threads <= os.cpu_count()
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert nerlite.load(tiny_model).threads == 1
    assert nerlite.load(tiny_model, threads=3).threads == 3


def test_threads_that_helped_sleep_when_no_more_comes(tiny_model, backend):
    tagger = nerlite.load(tiny_model, backend=backend, threads=3)
    for text in TEXTS:
        tagger(text)
    time.sleep(0.5)
    before = time.process_time()
    time.sleep(0.5)
    assert time.process_time() - before < 0.05


def test_a_count_is_a_positive_int(tiny_model, tagger):
    with pytest.raises(ValueError, match="threads: expected at most 1024, got 1180591620717411303424"):
        nerlite.load(tiny_model, threads=2 ** 70)
    with pytest.raises(ValueError, match="threads: expected at least 1, got 0"):
        nerlite.load(tiny_model, threads=0)
    for wrong in ("2", 1.5):
        with pytest.raises(TypeError, match=f"threads: expected int, got {wrong!r}"):
            nerlite.load(tiny_model, threads=wrong)
        with pytest.raises(TypeError, match=f"batch_size: expected int, got {wrong!r}"):
            next(tagger.pipe(["EU"], batch_size=wrong))


def test_pickled_it_is_path_and_options(tiny_model, backend, tmp_path, monkeypatch):
    monkeypatch.chdir(tiny_model.parent)
    tagger = nerlite.load(tiny_model.name, backend=backend, threads=1)
    data = pickle.dumps(tagger)
    monkeypatch.chdir(tmp_path)
    assert len(data) < 1000
    again = pickle.loads(data)
    assert (again.path, again.backend, again.threads) == (tagger.path, tagger.backend, tagger.threads)
    assert again(TEXTS[0]) == tagger(TEXTS[0])


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
def test_a_fork_after_threaded_work_tags_too(tiny_model, backend):
    tagger = nerlite.load(tiny_model, backend=backend, threads=2)
    expected = list(tagger.pipe(TEXTS))
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply_async(_tag_all, (tagger,)).get(timeout=120) == expected


def _tag_all(tagger):
    return list(tagger.pipe(TEXTS))


@pytest.mark.parametrize("changes", [
    {"chars": None}, {"context": None}, {"chars": None, "context": None}, {"decoder": "argmax"},
    {"decoder": "viterbi"}, {"crf_boundaries": False}, {"scheme": "IOB2", "tags": ("O", "B-PER", "I-PER")},
    {"scheme": "IOB1", "tags": ("O", "B-PER", "I-PER")}, {"decoder": "argmax", "tags": ("O", "I-PER", "B-PER")},
])
def test_every_kind_of_model_tags(write_model, backend, changes):
    doc = nerlite.load(write_model(seed=1, **changes), backend=backend)(TEXTS[5])
    assert len(doc.tags) == len(doc.words) == 240
    assert doc.entities


def test_parts_of_the_network_are_optional(write_model, tiny_config, backend):
    context, chars = tiny_config.context, tiny_config.chars
    for changes in ({"context": context._replace(num_layers=0)}, {"context": context._replace(num_layers=3)},
                    {"context": context._replace(residual=False, dense_size=9)},
                    {"context": context._replace(cell="peephole")}, {"chars": chars._replace(cnn=None)},
                    {"chars": chars._replace(lstm=None)}, {"chars": chars._replace(unit="utf16")},
                    {"chars": chars._replace(cnn=chars.cnn._replace(pool="longest"))}):
        path = write_model(**changes)
        assert list(nerlite.load(path, backend=backend).pipe(TEXTS)) == [
            nerlite.load(path, backend=backend)(text) for text in TEXTS]


def test_argmax_scores_are_products_of_probabilities(write_model):
    tagger = nerlite.load(write_model(decoder="argmax"), backend="numpy")
    doc = tagger(TEXTS[0])
    emissions = tagger._network.emissions(make_batch([*tagger._rules.read(TEXTS[0]).sequences])).astype(np.float64)
    probabilities = np.exp(emissions - np.logaddexp.reduce(emissions, axis=1, keepdims=True))
    n_tested = 0
    for span, entity in zip(to_spans(doc.tags), doc.entities, strict=True):
        if span.stop - span.start > 1:
            continue
        before, at, after = (probabilities[i] if 0 <= i < len(doc.words) else np.eye(len(TAGS))[TAGS.index("O")]
                             for i in range(span.start - 1, span.start + 2))
        expected = sum(before[a] * at[b] * after[c] for a, b, c in itertools.product(range(len(TAGS)), repeat=3)
                       if TAGS[b].endswith(f"-{span.label}") and is_boundary(TAGS[a], TAGS[b])
                       and is_boundary(TAGS[b], TAGS[c]))
        assert entity.score == pytest.approx(expected, abs=1e-6)
        n_tested += 1
    assert n_tested


def test_the_default_model_finds_names_and_is_the_shipped_one(backend, tmp_path, monkeypatch):
    (tmp_path / "english-minilm-l6").mkdir()  # not this one
    monkeypatch.chdir(tmp_path)
    tagger = nerlite.load(backend=backend)
    doc = tagger("My name is John and I work for Acme in Berlin.")
    assert [(e.text, e.label, e.start, e.end) for e in doc.entities] == [
        ("John", "PER", 11, 15), ("Acme", "ORG", 31, 35), ("Berlin", "LOC", 39, 45)]
    assert all(0.9 < entity.score <= 1 for entity in doc.entities)
    assert doc.tags == ["O", "O", "O", "B-PER", "O", "O", "O", "O", "B-ORG", "O", "B-LOC", "O"]
    assert tagger.tag(["EU", "rejects", "German", "call"]) == ["B-ORG", "O", "B-MISC", "O"]


def test_other_models_are_refused_by_name():
    with pytest.raises(nerlite.ModelError, match="'nowhere': no such directory, and no shipped model of that name"):
        nerlite.load("nowhere")
    with pytest.raises(nerlite.ModelError, match="'': no such directory"):
        nerlite.load("")
    with pytest.raises(nerlite.ModelError, match=r"tools/convert_hf\.py"):
        nerlite.load("dslim/bert-base-NER")


def test_an_encoder_without_a_head_is_refused(write_model):
    with pytest.raises(nerlite.ModelError, match="tags: the model is an encoder without a tagging head"):
        nerlite.load(write_model(tags=()))


def run_python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_import_brings_in_neither_numba_nor_a_framework():
    code = "import sys, nerlite; print([m for m in ('numba', 'torch', 'transformers', 'pandas') if m in sys.modules])"
    assert run_python(code).stdout == "[]\n"


def test_without_a_numba_that_imports_numpy_does_the_work(tiny_model, tmp_path):
    (tmp_path / "numba.py").write_text("raise ImportError('Numba needs another NumPy')")
    code = (f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import nerlite; from nerlite.ops import library; "
            "library.FOLDER += '/nowhere'; "
            f"ner = nerlite.load({str(tiny_model)!r}); print(ner.backend, len(ner('john of berlin').words))")
    assert run_python(code).stdout == "numpy 3\n"
    assert "Numba needs another NumPy" in run_python(code.replace("load(", "load(backend='numba', model=")).stderr
