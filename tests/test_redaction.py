"""Names go out of texts and come back: all of them, to where they were, whatever the texts hold."""

import errno
import json
import pickle
import stat
import time
from array import array
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nerlite.document import Document, Entity
from nerlite.redaction import Placeholders

LOOKALIKES = ["[PER_1]", "[TEXT_1]", "[TEXT_2]", "[PER_", "PER_1]", "1]", "[", "]", "[[PER_1]]", "[__1]", "[X_0]",
              "[X_01]", f"[X_{'9' * 5_000}]", "[PER_\u0661]", "[Ü_1]"]
texts = st.text(st.characters(), max_size=4) | st.sampled_from(LOOKALIKES)
labels = st.sampled_from(["PER", "LOC", "TEXT", "geo-loc", "PER_1", "Ü", "]", "", "\ud800"]) | st.text(max_size=3)
documents = st.lists(st.lists(st.tuples(texts, texts.filter(bool), labels), max_size=4), min_size=1, max_size=4)


def document_of(*parts, rest=""):
    """A document of plain text and a name, plain text and a name, and the rest."""
    text, entities = "", []
    for before, name, label in parts:
        text += before
        entities.append(Entity(name, label, len(text), len(text) + len(name), 0.5))
        text += name
    return Document(text + rest, array("I"), entities)


@given(documents, st.none() | st.lists(labels))
@example([[("[PER_1] met ", "John", "PER")], [("", "[PER_1]", "PER"), ("[PER_2]", "[TEXT_1]", "TEXT")]], None)
@example([[("[", "PER_1", "PER"), ("]", "[", "LOC"), ("PER_1]", "x", "LOC")]], ["LOC"])
def test_what_was_redacted_comes_back(parts, wanted):
    placeholders = Placeholders()
    originals = [document_of(*each, rest="[PER_1") for each in parts]
    redacted = [document.redact(placeholders, wanted) for document in originals]
    kept = Placeholders(json.loads(json.dumps(placeholders.names)))
    assert [kept.restore(text) for text in redacted] == [document.text for document in originals]
    assert kept.restore(" ".join(redacted)) == " ".join(document.text for document in originals)
    assert kept.unknown(" ".join(redacted)) == []
    assert [document.redact(kept, wanted) for document in originals] == redacted


@given(documents)
def test_names_are_gone(parts):
    for each in parts:
        document = document_of(*((before, f"\ue000{name}", label) for before, name, label in each))
        assert document.redact().count("\ue000") == sum(before.count("\ue000") for before, _, _ in each)


def test_the_same_name_has_the_same_number():
    placeholders = Placeholders()
    first = document_of(("", "John", "PER"), (" met ", "Ann", "PER"), (" in ", "John", "LOC"), (", ", "john", "PER"))
    second = document_of(("", "Ann", "PER"), (" and ", "Bo", "PER"), rest=" left.")
    assert first.redact(placeholders) == "[PER_1] met [PER_2] in [LOC_1], [PER_3]"
    assert second.redact(placeholders) == "[PER_2] and [PER_4] left."
    assert placeholders.names == {"[PER_1]": "John", "[PER_2]": "Ann", "[LOC_1]": "John", "[PER_3]": "john",
                                  "[PER_4]": "Bo"}
    assert placeholders.restore("[PER_4]'s friend is [PER_2], not [PER_9].") == "Bo's friend is Ann, not [PER_9]."
    assert placeholders.unknown("[PER_9] [PER_2] [ORG_1] [PER_9]") == ["[PER_9]", "[ORG_1]"]
    assert second.redact() == "[PER_1] and [PER_2] left."


def test_threads_may_share_placeholders():
    class Slow(dict):
        def get(self, *arguments):
            found = super().get(*arguments)
            time.sleep(1e-4)  # where another thread may come in between
            return found

    placeholders = Placeholders()
    placeholders._last = Slow()
    documents = [document_of(("", f"{i % 30}", "PER"), (" ", f"{i % 7}", "PER")) for i in range(60)]
    with ThreadPoolExecutor(4) as pool:
        redacted = list(pool.map(placeholders.redact, documents))
    assert [placeholders.restore(text) for text in redacted] == [document.text for document in documents]
    assert sorted(placeholders.names.values()) == sorted(f"{i}" for i in range(30))


def test_placeholders_pickle():
    placeholders = Placeholders({"[PER_2]": "Ann"})
    copied = pickle.loads(pickle.dumps(placeholders))
    assert copied.names == placeholders.names
    assert document_of(("", "Bo", "PER"), ("", "Ann", "PER")).redact(copied) == "[PER_3][PER_2]"


def test_only_the_labels_that_are_asked_for():
    document = document_of(("", "Ann", "PER"), (" in ", "Rome", "LOC"))
    assert document.redact(labels=["LOC"]) == "Ann in [LOC_1]"
    assert document.redact(labels=[]) == "Ann in Rome"
    with pytest.raises(TypeError, match="labels: expected a list of labels, got a str"):
        document.redact(labels="PER")


def test_a_text_that_was_not_read_whole_is_refused():
    document = Document("Ann met Bo", array("I"), [Entity("Ann", "PER", 0, 3, 1.0)], truncated_at=8)
    with pytest.raises(ValueError, match="the model read only the first 8 of 10 characters"):
        document.redact()


def test_a_map_is_for_its_owner_alone(tmp_path):
    file = tmp_path / "map.json"
    file.write_text("{}")
    file.chmod(0o644)
    placeholders = Placeholders({"[PER_1]": "Jos\u00e9 \ud800 \U0001f600\n\"", "[LOC_7]": "[PER_1]"})
    placeholders.save(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert Placeholders.load(file).names == placeholders.names
    assert document_of(("", "Rome", "LOC")).redact(Placeholders.load(file)) == "[LOC_8]"
    assert list(tmp_path.iterdir()) == [file]


def test_a_map_is_written_whole_or_not_at_all(tmp_path):
    file = tmp_path / "map.json"
    Placeholders({"[PER_1]": "Ann"}).save(file)
    for failing in ("os.fsync", "os.replace", "json.dump"):
        with (mock.patch(failing, side_effect=OSError(errno.ENOSPC, "no space left")),
              pytest.raises(OSError, match="no space left")):
            Placeholders({"[PER_1]": "Bo"}).save(file)
        assert Placeholders.load(file).names == {"[PER_1]": "Ann"}
        assert list(tmp_path.iterdir()) == [file]


def test_a_map_behind_a_link_is_replaced_where_it_is(tmp_path):
    (tmp_path / "secret").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "secret" / "map.json")
    Placeholders({"[PER_1]": "Ann"}).save(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert Placeholders.load(tmp_path / "secret" / "map.json").names == {"[PER_1]": "Ann"}


@pytest.mark.parametrize(("content", "message"), [
    (b"", "expected a JSON object"), (b'["Angela"]', "expected a JSON object"),
    (b'{"[PER_1]": "Angela"', "expected a JSON object"),
    (b"\xff", "expected a JSON object"), (b"[" * 100_000, "expected a JSON object"),
    (b'{"[PER_1]": "x", "Angela": "y"}', r"names: entry 2: expected a placeholder such as \[PER_1\] and a name"),
    (b'{"[PER_1]": ["Angela"]}', "names: entry 1"), (b'{"[PER_1]": ""}', "names: entry 1"),
    (b'{"[PER_%s]": "Angela"}' % (b"9" * 5_000), "names: entry 1"),
])
def test_a_map_that_is_none_is_refused_without_a_word_of_it(tmp_path, content, message):
    file = tmp_path / "map.json"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=f"map.json: not a map of placeholders: {message}") as error:
        Placeholders.load(file)
    assert "Angela" not in str(error.value)
