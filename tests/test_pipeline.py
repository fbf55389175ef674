"""The tagger as its users see it: on a tiny random model, which finds entities, if no sensible ones."""

import multiprocessing
import pickle
import subprocess
import sys
import threading
from dataclasses import replace

import numpy as np
import pytest
from conftest import TAGS

import nerlite
from nerlite.tags import to_spans

TEXTS = ["My name is John and I work for Acme in Berlin.", "", "EU rejects German call.", " \n ", "\U0001f600!",
         "the john of berlin " * 60, "a", "U.N. 3.14 (x) e\u0301\u0301 \u0301 中国", "x.y." * 200, "ok \ud800 done"]


@pytest.fixture(scope="module", params=["numpy", "numba"])
def backend(request):
    if request.param == "numba":
        pytest.importorskip("numba")
    return request.param


@pytest.fixture(scope="module")
def tagger(tiny_model, backend):
    return nerlite.load(tiny_model, backend=backend, threads=1)


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


def test_the_same_text_gives_the_same_bits_in_any_company(tiny_model, tagger, backend):
    alone = [tagger(text) for text in TEXTS]
    assert list(tagger.pipe(TEXTS)) == alone
    assert list(tagger.pipe(reversed(TEXTS), batch_size=3)) == alone[::-1]
    several = nerlite.load(tiny_model, backend=backend, threads=3)
    assert list(several.pipe(TEXTS * 2)) == alone * 2


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8"])
def test_backends_agree(write_model, dtype):
    pytest.importorskip("numba")
    path = write_model(dtype=dtype)
    results = [list(nerlite.load(path, backend=name).pipe(TEXTS)) for name in ("numpy", "numba")]
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


def test_tag_words(tagger):
    words = ["EU", "rejects", "German", "call", "New York", ""]
    tags = tagger.tag(words)
    assert len(tags) == len(words)
    assert tagger.tag([words, [], words[:2]]) == [tags, [], tagger.tag(words[:2])]
    assert tagger.tag([]) == []


@pytest.mark.parametrize("wrong", [b"bytes", None, 3])
def test_a_text_that_is_none_is_refused(tagger, wrong):
    with pytest.raises(TypeError, match=f"text: expected str, got {type(wrong).__name__}"):
        tagger(wrong)
    with pytest.raises(TypeError, match="words: expected"):
        tagger.tag([["a", wrong]])


def test_a_str_is_no_list_of_words(tagger):
    with pytest.raises(TypeError, match="words: expected a list of words, got a str"):
        tagger.tag("EU rejects")


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


def test_pickled_it_is_path_and_options(tagger):
    data = pickle.dumps(tagger)
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
    doc = nerlite.load(write_model(**changes), backend=backend)(TEXTS[5])
    assert len(doc.tags) == len(doc.words) == 240
    assert doc.entities


def test_parts_of_the_network_are_optional(write_model, tiny_config, backend):
    context, chars = tiny_config.context, tiny_config.chars
    for changes in ({"context": replace(context, num_layers=0)}, {"context": replace(context, num_layers=3)},
                    {"context": replace(context, residual=False, dense_size=9)},
                    {"context": replace(context, cell="peephole")}, {"chars": replace(chars, cnn=None)},
                    {"chars": replace(chars, lstm=None)}, {"chars": replace(chars, unit="utf16")},
                    {"chars": replace(chars, cnn=replace(chars.cnn, pool="longest"))}):
        path = write_model(**changes)
        assert list(nerlite.load(path, backend=backend).pipe(TEXTS)) == [
            nerlite.load(path, backend=backend)(text) for text in TEXTS]


def test_argmax_scores_are_products_of_probabilities(write_model):
    tagger = nerlite.load(write_model(decoder="argmax", scheme="BIOES", tags=TAGS), backend="numpy")
    doc = tagger(TEXTS[0])
    assert doc.entities
    assert all(entity.score < 1 for entity in doc.entities)


def test_the_default_model_is_found_by_name_and_others_refused():
    with pytest.raises(nerlite.ModelError, match=r"nowhere: no such directory, and no shipped model of that name"):
        nerlite.load("nowhere")


def test_an_encoder_without_a_head_is_refused(write_model):
    with pytest.raises(nerlite.ModelError, match="tags: the model is an encoder without a tagging head"):
        nerlite.load(write_model(tags=()))


def test_import_brings_in_neither_numba_nor_a_framework():
    code = "import sys, nerlite; print([m for m in ('numba', 'torch', 'transformers', 'pandas') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_numpy_backend_needs_no_numba(tiny_model):
    code = (f"import sys; sys.modules['numba'] = None; import nerlite; ner = nerlite.load({str(tiny_model)!r}, "
            "backend='numpy'); print(len(ner('john of berlin').words))")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "3\n"
