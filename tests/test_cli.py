"""The commands: what they print, what they refuse and how, and that what they leave behind is whole lines."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

import nerlite
from nerlite import cli, environment
from nerlite.cli import console, documents
from nerlite.evaluate import evaluate
from nerlite.tags import from_spans, to_spans

ROOT = Path(__file__).parent.parent
TEXTS = ["My name is John and I work for Acme in Berlin.", "", "EU rejects German call – naïve ☃", "x"]
CONLL = """-DOCSTART- -X- O

EU NNP B-ORG
rejects VBZ O
German JJ B-MISC

Peter NNP B-PER
Blackburn NNP I-PER

-DOCSTART- -X- O

Berlin NNP B-LOC
"""


@pytest.fixture
def tagger(tiny_model):
    return nerlite.load(tiny_model, backend="numpy")


@pytest.fixture
def run(tiny_model, monkeypatch, capfdbinary):
    """A function that runs a command on the tiny model: arguments, standard input → status, output, errors."""
    def run_command(command, *arguments, stdin=b"", model=tiny_model):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        status = cli.main([command, "--model", str(model), "--backend", "numpy", *map(str, arguments)])
        output, errors = capfdbinary.readouterr()
        return status, output.decode(), errors.decode()

    return run_command


@pytest.fixture
def start(tiny_model):
    """A function that starts a command on the tiny model as a process of its own."""
    def start_process(*arguments, **options):
        command = [sys.executable, "-m", "nerlite", "tag", "--model", tiny_model, "--backend", "numpy", *arguments]
        return subprocess.Popen(command, cwd=ROOT, **options)

    return start_process


def lines_of(texts):
    return "".join(f"{text}\n" for text in texts).encode()


def entities_of(document):
    return [{"text": entity.text, "label": entity.label, "start": entity.start, "end": entity.end,
             "score": round(entity.score, 4)} for entity in document.entities]


def test_tag_gives_a_line_for_every_line(run, tagger):
    status, output, errors = run("tag", stdin=lines_of(TEXTS))
    rows = [json.loads(line) for line in output.splitlines()]
    assert (status, errors) == (0, "")
    assert rows == [{"text": text, "entities": entities_of(tagger(text))} for text in TEXTS]
    assert any(row["entities"] for row in rows)


def test_more_lines_than_a_batch_keep_their_order(run):
    texts = [f"line {i} of {'x' * (i % 7)}" for i in range(3 * documents.BATCH_SIZE + 1)]
    _, output, _ = run("tag", stdin=lines_of(texts))
    assert [json.loads(line)["text"] for line in output.splitlines()] == texts


def test_whole_files_are_one_document_each(run, tagger, tmp_path):
    files = [tmp_path / "a.txt", tmp_path / "b.md"]
    for file in files:
        file.write_text("\n".join(TEXTS) + file.name, encoding="utf-8", newline="")
    _, output, _ = run("tag", "--whole", *files)
    texts = ["\n".join(TEXTS) + file.name for file in files]
    assert [json.loads(line) for line in output.splitlines()] == [
        {"text": text, "entities": entities_of(tagger(text))} for text in texts]


def test_json_lines_keep_their_other_keys(run, tagger, tmp_path):
    file = tmp_path / "in.jsonl"
    rows = [{"id": i, "body": text, "nested": {"é": [1.5, None]}} for i, text in enumerate(TEXTS)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    status, output, _ = run("tag", "--text-key", "body", file)
    assert status == 0
    assert [json.loads(line) for line in output.splitlines()] == [
        {**row, "entities": entities_of(tagger(row["body"]))} for row in rows]


def test_a_lone_surrogate_comes_out_as_it_came_in(run):
    status, output, _ = run("tag", "--input-format", "jsonl", stdin=b'{"text": "John \\ud83d Smith"}\n')
    assert status == 0
    assert json.loads(output)["text"] == "John \ud83d Smith"


@pytest.mark.parametrize("by", ["document", "sentence"])
def test_conll_rows_get_their_tag_as_one_column_more(run, tagger, tmp_path, by):
    file = tmp_path / "in.conll"
    file.write_text(CONLL)
    _, output, _ = run("tag", "--by", by, "--output", "conll", file)
    sentences = [["EU", "rejects", "German"], ["Peter", "Blackburn"], ["Berlin"]]
    together = [sentences[0] + sentences[1], sentences[2]] if by == "document" else sentences
    tags = iter([tag for words in together for tag in tagger.tag(words)])
    assert output.splitlines() == [
        f"{line} O" if "DOCSTART" in line else f"{line} {next(tags)}" if line else "" for line in CONLL.splitlines()
    ] + [""]


def test_conll_input_gives_entities_too(run, tagger, tmp_path):
    file = tmp_path / "in.conll"
    file.write_text(CONLL)
    _, output, _ = run("tag", file)
    first, second = (json.loads(line) for line in output.splitlines())
    document, = tagger.documents_of([["EU", "rejects", "German", "Peter", "Blackburn"]])
    assert first == {"text": "EU rejects German Peter Blackburn", "entities": entities_of(document)}
    assert second["text"] == "Berlin"


def test_a_word_over_two_lines_is_one_row(run, tmp_path):
    file = tmp_path / "in.jsonl"
    file.write_text(json.dumps({"text": "to Wash-\n  ington"}))
    _, output, _ = run("tag", "--output", "conll", file)
    assert [row.split(" ")[0] for row in output.split("\n")] == ["to", "Wash-ington", "", ""]


def test_text_as_conll(run, tagger):
    _, output, _ = run("tag", "--output", "conll", stdin=lines_of(TEXTS[:1]))
    document = tagger(TEXTS[0])
    assert output.splitlines() == [*map(" ".join, zip(document.words, document.tags, strict=True)), ""]


def test_files_of_all_formats_in_one_run(run, tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "one"}\n')
    (tmp_path / "b.conll").write_text("two O\n\nthree O\n")
    (tmp_path / "c.txt").write_text("four\n")
    status, output, _ = run("tag", *sorted(tmp_path.iterdir()), "-", stdin=b"five\nsix")
    assert status == 0
    assert [json.loads(line)["text"] for line in output.splitlines()] == ["one", "two", "three", "four", "five", "six"]


def test_table_names_the_place(run, tagger):
    _, output, _ = run("tag", "--output", "table", stdin=lines_of(TEXTS))
    lines = output.splitlines()
    assert lines[0].startswith("stdin:1  My name is")
    assert lines[1 + len(tagger(TEXTS[0]).entities)].startswith("stdin:2")


def test_labels_and_scores_select(run, tagger):
    document = tagger(TEXTS[0])
    labels = {entity.label for entity in document.entities}
    scores = sorted(entity.score for entity in document.entities)
    label, threshold = min(labels), scores[len(scores) // 2]
    assert len(labels) > 1
    assert scores[0] < threshold
    _, output, _ = run("tag", "--label", label, stdin=lines_of(TEXTS[:1]))
    assert {entity["label"] for entity in json.loads(output)["entities"]} == {label}
    _, output, _ = run("tag", "--min-score", threshold, stdin=lines_of(TEXTS[:1]))
    assert json.loads(output)["entities"] == [
        row for row, entity in zip(entities_of(document), document.entities, strict=True) if entity.score >= threshold]
    _, output, _ = run("tag", "--label", label, "--output", "conll", stdin=lines_of(TEXTS[:1]))
    assert {line.split()[1][2:] for line in output.splitlines() if line} == {label, ""}


@pytest.mark.parametrize(("name", "content", "arguments", "message"), [
    ("a.txt", b"fine\nb\xff\n", [], "a.txt:2: not UTF-8: byte 0xff at offset 6 of the file"),
    ("a.txt", b"fine\nb\xff\n", ["--whole"], "a.txt:2: not UTF-8: byte 0xff at offset 6 of the file"),
    ("a.jsonl", b'{"text": "fine"}\n{"body": ""}\n', [], "a.jsonl:2: no key 'text'; the line has 'body'"),
    ("a.jsonl", b'{"text": "fine"}\n{"text": 1}\n', [], "a.jsonl:2: key 'text': expected a string or null, got 1"),
    ("a.jsonl", b'{"text": "fine"}\n{"text"\n', [], "a.jsonl:2: not JSON"),
    ("a.conll", b"fine O\n\nbad\n", [], "a.conll:3: expected 2 columns, got 'bad'"),
])
def test_bad_input_is_named_after_what_came_before_it(run, tmp_path, name, content, arguments, message):
    file = tmp_path / name
    file.write_bytes(content)
    status, output, errors = run("tag", *arguments, file)
    assert status == 2
    assert errors.startswith(f"nerlite: {tmp_path}/{message}")
    assert errors.count("\n") == 1
    assert [json.loads(line)["text"] for line in output.splitlines()] == ([] if arguments else ["fine"])


def test_bad_standard_input_is_named(run):
    assert run("tag", stdin=b"\xff")[2].startswith("nerlite: stdin:1: not UTF-8")


def test_a_missing_file_is_refused_before_the_work_begins(run, tmp_path):
    (tmp_path / "a.txt").write_text("fine\n")
    assert run("tag", tmp_path / "a.txt", tmp_path / "b.txt") == (2, "", f"nerlite: {tmp_path}/b.txt: no such file\n")
    assert run("eval", tmp_path) == (2, "", f"nerlite: {tmp_path}: Is a directory\n")
    assert run("eval", tmp_path / "b.txt")[0] == 2


def test_a_label_that_the_model_lacks_is_refused(run):
    for arguments in (("--label", "PER", "--label", "GPE"), ("--label", "PER,GPE")):
        assert run("tag", *arguments) == (
            2, "", "nerlite: --label GPE: the model has the labels LOC, MISC, ORG, PER\n")


@pytest.mark.parametrize("arguments", [["tag", "--min-score", "2"], ["tag", "--min-score", "nan"], ["tag", "--x"],
                                       ["tag", "--threads", "0"], ["tag", "--backend", "torch"], ["eval"], []])
def test_bad_options_end_with_status_2(arguments, capsys):
    with pytest.raises(SystemExit) as error:
        cli.main(arguments)
    assert error.value.code == 2
    assert "Traceback" not in capsys.readouterr().err


def break_config(path):
    (path / "config.json").write_text((path / "config.json").read_text().replace('"scheme"', '"shceme"'))


def break_version(path):
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps({**config, "format_version": 99}))


def break_weights(path):
    data = (path / "model.safetensors").read_bytes()
    (path / "model.safetensors").write_bytes(data[:len(data) // 2])


@pytest.mark.parametrize(("damage", "message"), [
    (lambda path: (path / "config.json").unlink(), "config.json: no such file"),
    (lambda path: (path / "config.json").write_text("{"), "config.json: not readable as JSON"),
    (break_config, "config.json: shceme: unknown key"),
    (break_version, "config.json: format_version: expected 1, got 99"),
    (lambda path: (path / "model.safetensors").unlink(), "model.safetensors: no such file"),
    (break_weights, "model.safetensors: not a readable safetensors file"),
    (lambda path: (path / "tokenizer.json").write_text("{}"), "tokenizer.json: model: expected an object, got None"),
    (lambda path: (path / "tokenizer.json").unlink(), "tokenizer.json: "),
])
def test_a_broken_model_is_named(run, write_model, damage, message):
    model = write_model()
    damage(model)
    for command in ("tag", "info", "warmup"):
        status, _, errors = run(command, model=model)
        assert status == 2
        assert errors.startswith(f"nerlite: {model}/{message}")
        assert "Traceback" not in errors


def test_an_unknown_model_is_refused(run):
    status, output, errors = run("tag", model="no-such-model")
    assert (status, output) == (2, "")
    assert "no-such-model" in errors


@pytest.mark.parametrize("error", [ModuleNotFoundError("No module named 'numba'", name="numba"),
                                   ImportError("Numba needs NumPy 2.3 or less. Got NumPy 2.9.")])
def test_a_backend_that_cannot_be_imported_is_refused(monkeypatch, tiny_model, capsys, error):
    monkeypatch.setattr(nerlite, "load", mock.Mock(side_effect=error))
    assert cli.main(["tag", "--backend", "numba", "--model", str(tiny_model)]) == 2
    assert capsys.readouterr().err == f"nerlite: --backend numba: {error}\n"


@pytest.mark.parametrize("by", ["document", "sentence"])
def test_eval_prints_the_report(run, tagger, tmp_path, by):
    file = tmp_path / "gold.txt"
    file.write_text(CONLL * 20)
    gold = [["B-ORG", "O", "B-MISC"], ["B-PER", "I-PER"], ["B-LOC"]]
    if by == "document":
        first, berlin = tagger.tag([["EU", "rejects", "German", "Peter", "Blackburn"], ["Berlin"]])
        predicted = [first[:3], first[3:], berlin]
    else:
        predicted = tagger.tag([["EU", "rejects", "German"], ["Peter", "Blackburn"], ["Berlin"]])
    assert run("eval", "--by", by, file) == (0, f"{evaluate(gold * 20, predicted * 20)}\n", "")


def test_eval_refuses_a_file_without_tags(run, tmp_path):
    (tmp_path / "words.txt").write_text("EU\nrejects\n")
    assert run("eval", tmp_path / "words.txt") == (
        2, "", f"nerlite: {tmp_path}/words.txt:1: expected 2 columns, got 'EU'\n")


def test_info_says_what_is_here(run, tiny_model, monkeypatch):
    for name in environment.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    status, output, _ = run("info")
    assert status == 0
    for part in (f"nerlite {nerlite.__version__}", "numpy", "tokenizers", "tiny, float32, 17 tags (BIOES)",
                 "backend        numpy", "not used by this backend", f"{tiny_model / 'README.md'}", "| # A tiny model"):
        assert part in output
    rows = [line for line in output.splitlines() if line[2:].startswith(tuple(environment.VARIABLES))]
    assert len({line.index(environment.VARIABLES[line.split()[0]].meaning) for line in rows}) == 1


def test_info_at_a_terminal_without_unicode(write_model):
    model = write_model()
    (model / "README.md").write_text("# Café ☃\n", encoding="utf-8")
    command = [sys.executable, "-m", "nerlite", "info", "--backend", "numpy", "--model", model]
    output = subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONIOENCODING": "ascii"}, check=True,
                            capture_output=True, text=True).stdout
    assert r"| # Caf\xe9 \u2603" in output


def test_warmup_fills_the_cache_that_info_describes_and_later_runs_take_from(tiny_model, tmp_path):
    pytest.importorskip("numba")

    def command(*arguments, **variables):
        return subprocess.run([sys.executable, "-m", "nerlite", *arguments, "--backend", "numba", "--model",
                               tiny_model], cwd=ROOT, env=os.environ | variables, check=True, capture_output=True,
                              text=True, input="Angela Merkel flew from Berlin to Washington.").stdout

    def n_kernels(output):
        return int(re.search(r"(\d+) of \d+ are compiled, in", output)[1])

    def files():
        return {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.nb?")}

    filled, kept = n_kernels(command("warmup", "--cache-dir", str(tmp_path))), files()
    assert 0 < filled <= len(kept)
    assert "entities" in command("tag", NUMBA_CACHE_DIR=str(tmp_path))
    assert files() == kept
    assert n_kernels(command("info", NUMBA_CACHE_DIR=str(tmp_path))) == filled


@pytest.mark.parametrize(("form", "chunk", "n_documents"), [
    ("txt", b"John lives in Berlin\n", 1),
    ("txt", b"John lives in Berlin\n\n" * 20 + b"the start of a li", 40),
    ("jsonl", b'{"text": "one"}\n{"text": "two"}\n \n\n', 2),
    ("conll", b"John O\nlives O\n\n", 1),
])
def test_what_has_arrived_is_answered_while_the_pipe_stays_open(start, form, chunk, n_documents):
    with start("--input-format", form, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        deadline = threading.Timer(60, process.kill)
        deadline.start()
        for _ in range(2):
            process.stdin.write(chunk)
            process.stdin.flush()
            for _ in range(n_documents):
                assert "entities" in json.loads(process.stdout.readline())
        process.stdin.close()
        assert len(process.stdout.readlines()) == (not chunk.endswith(b"\n"))
        deadline.cancel()


@given(st.lists(st.text("ab\r\n", min_size=1).map(str.encode)))
def test_lines_are_whole_however_they_arrive(chunks):
    chunks_left = iter(chunks)
    stream = SimpleNamespace(buffer=SimpleNamespace(read1=lambda size: next(chunks_left, b"")))
    with mock.patch.object(sys, "stdin", stream), console.Input(["-"]) as files:
        assert list(files.read("-")) == list(io.BytesIO(b"".join(chunks)))


def test_a_batch_has_a_bound_of_characters(run, monkeypatch, tmp_path):
    sizes = []

    def documents_of(self, texts, original=nerlite.Tagger.documents_of):
        sizes.append(len(texts))
        return original(self, texts)

    monkeypatch.setattr(nerlite.Tagger, "documents_of", documents_of)
    monkeypatch.setattr(documents, "BATCH_CHARACTERS", 10)
    (tmp_path / "a.conll").write_text("".join(f"{word}\n\n" for word in ["a" * 9, "b", "c" * 20, "d"]))
    _, output, _ = run("tag", tmp_path / "a.conll")
    assert (len(output.splitlines()), sizes) == (4, [2, 1, 1])


@pytest.mark.skipif(signal.getsignal(signal.SIGINT) is signal.SIG_IGN, reason="a background job has none")
def test_an_interrupt_leaves_whole_lines(start):
    with start(stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdin.write(b"John lives in Berlin\n" * 2 * documents.BATCH_SIZE)
        process.stdin.flush()
        first = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest = process.stdout.readlines()
        assert process.wait(10) == 130
        assert process.stderr.read() == b""
    assert [json.loads(line)["text"] for line in [first, *rest]] == ["John lives in Berlin"] * (1 + len(rest))
    assert all(line.endswith(b"\n") for line in rest)


def test_a_closed_pipe_ends_the_work_quietly(start, tmp_path):
    (tmp_path / "long.txt").write_bytes(b"John lives in Berlin\n" * 5_000)
    with start(tmp_path / "long.txt", stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(30) == 141
        assert process.stderr.read() == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_a_full_disk_is_an_error_without_traceback(start):
    with Path("/dev/full").open("wb") as full, start(stdin=subprocess.PIPE, stdout=full, stderr=subprocess.PIPE
                                                     ) as process:
        _, errors = process.communicate(b"x\n")
    assert process.returncode == 1
    assert errors.startswith(b"nerlite: ")
    assert b"Traceback" not in errors


def test_an_output_without_a_file_fails_without_traceback(monkeypatch, tiny_model, capsys):
    class Full(io.StringIO):
        def write(self, text):
            raise OSError("no room")

    monkeypatch.setattr(sys, "stdout", Full())
    assert cli.main(["info", "--model", str(tiny_model), "--backend", "numpy"]) == 1
    assert capsys.readouterr().err == "nerlite: no room\n"


@pytest.mark.skipif(signal.getsignal(signal.SIGINT) is signal.SIG_IGN, reason="a background job has none")
def test_an_interrupt_during_a_write_waits_for_it(monkeypatch):
    class Stream(io.BytesIO):
        def write(self, data):
            half = len(data) // 2
            super().write(data[:half])
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)  # the handler runs here at the latest
            return half + super().write(data[half:])

    stream = Stream()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(stream))
    with pytest.raises(KeyboardInterrupt), console.Output() as output:
        output.write("a whole line\n")
    assert stream.getvalue() == b"a whole line\n"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_bar_shows_at_a_terminal_whose_output_goes_elsewhere(monkeypatch, tmp_path):
    pytest.importorskip("tqdm")

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    (tmp_path / "a.txt").write_bytes(b"one\n\xff\n")
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    with console.Input([str(tmp_path / "a.txt")]) as files:
        assert list(files.read(str(tmp_path / "a.txt"))) == [b"one\n", b"\xff\n"]
        assert (files._bar.n, files._bar.total) == (6, 6)
    assert sys.stderr.getvalue() == ""  # the work was short
    monkeypatch.setattr(sys, "stdout", Terminal())
    with console.Input([]) as files:
        assert files._bar is None


@pytest.mark.skipif(os.name != "posix", reason="a POSIX shell's way to close a stream")
@pytest.mark.parametrize(("stream", "status", "message"), [("<&-", 2, "stdin: closed"),
                                                           (">&-", 1, "standard output is closed")])
def test_a_closed_stream_is_one_line_of_error(tiny_model, stream, status, message):
    command = f'echo hi | "{sys.executable}" -m nerlite tag --model "{tiny_model}" {stream}'
    process = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (process.returncode, process.stderr) == (status, f"nerlite: {message}\n")


@pytest.mark.skipif(os.name != "posix", reason="a POSIX shell's way to close a stream")
@pytest.mark.parametrize(("arguments", "status", "output"), [("info", 1, None), ("tag", 0, '{"text": "hi"'),
                                                             ("tag missing.txt", 2, "")])
def test_closed_streams_get_nothing_and_nothing_goes_elsewhere(tiny_model, arguments, status, output):
    close = "2>&-" if output is not None else ">&-"
    command = f'echo hi | "{sys.executable}" -m nerlite {arguments} --model "{tiny_model}" {close}'
    process = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert process.returncode == status
    assert process.stdout[:13] == (output or "")
    assert process.stderr == ("" if output is not None else "nerlite: standard output is closed\n")


@pytest.mark.skipif(os.name != "posix", reason="pipes that do not block")
def test_input_that_has_not_arrived_is_waited_for_on_a_pipe_that_does_not_block(start):
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    with start(stdin=reading, stdout=subprocess.PIPE) as process:
        os.close(reading)
        time.sleep(0.5)
        os.write(writing, b"John\n")
        assert json.loads(process.stdout.readline())["text"] == "John"
        os.write(writing, b"Mary\n")
        os.close(writing)
        assert json.loads(process.stdout.readline())["text"] == "Mary"


def test_variables_of_the_environment_are_checked(tiny_model):
    for variables, backend, message in (({"NERLITE_CPU_LEVEL": "avx9"}, "auto", "NERLITE_CPU_LEVEL: expected one of"),
                                        ({"NUMBA_DISABLE_JIT": "1"}, "numba", "--backend numba: ")):
        process = subprocess.run([sys.executable, "-m", "nerlite", "tag", "--backend", backend, "--model",
                                  tiny_model], cwd=ROOT, env=os.environ | variables, capture_output=True, text=True,
                                 input="", check=False)
        assert process.returncode == 2
        assert process.stderr.startswith(f"nerlite: {message}")
        assert process.stderr.count("\n") == 1


def test_a_cache_that_cannot_be_a_folder_is_named(run, tmp_path):
    (tmp_path / "file").touch()
    assert run("warmup", "--cache-dir", tmp_path / "file")[::2] == (
        2, f"nerlite: --cache-dir {tmp_path / 'file'}: File exists\n")


def test_a_file_name_that_the_system_refuses_is_named(run):
    name = "a" * 300
    assert run("tag", name)[::2] == (2, f"nerlite: {name}: File name too long\n")


def test_labels_may_be_given_with_commas(run):
    both, again, ours = (run("tag", *labels, stdin=lines_of(TEXTS))[1] for labels in (
        ("--label", "PER, LOC"), ("--label", "PER", "--label", "LOC"), ()))
    assert both == again != ours


def test_null_texts_are_passed_through_and_answers_get_another_key(run, tmp_path):
    file = tmp_path / "a.json"
    file.write_text('[{"data": {"text": null}, "entities": 1.10},\n {"data": {"text": ""}, "entities": 2}]')
    status, output, _ = run("tag", "--text-key", "data.text", "--entities-key", "found", file)
    assert (status, output) == (0, '{"data": {"text": null}, "entities": 1.10, "found": []}\n'
                                   '{"data": {"text": ""}, "entities": 2, "found": []}\n')
    status, output, errors = run("tag", "--text-key", "data.text", file)
    assert (status, output) == (2, "")
    assert "key 'entities': there already" in errors


def test_offsets_count_what_readers_elsewhere_count(run, tagger):
    text = "\U0001f600 John lives in Berlin"
    starts = {unit: [entity["start"] for entity in json.loads(run("tag", "--offsets", unit, stdin=text.encode())[1])[
        "entities"]] for unit in ("codepoint", "utf16", "utf8")}
    assert starts["codepoint"] == [entity.start for entity in tagger(text).entities] != []
    assert starts["utf16"] == [start + (start > 0) for start in starts["codepoint"]]
    assert starts["utf8"] == [start + 3 * (start > 0) for start in starts["codepoint"]]


def test_encodings(run, tmp_path):
    file = tmp_path / "a.txt"
    for encoding, arguments in (("utf-16", ()), ("utf-16-le", ("--encoding", "utf-16le")),
                                ("latin-1", ("--encoding", "latin-1"))):
        file.write_text("Müller\nlebt in Köln\n", encoding=encoding)
        status, output, _ = run("tag", *arguments, file)
        assert [json.loads(line)["text"] for line in output.splitlines()] == ["Müller", "lebt in Köln"]
    status, _, errors = run("tag", file)
    assert (status, "--encoding names another encoding" in errors) == (2, True)


def test_eval_reads_other_schemes_and_refuses_what_is_none(run, tagger, tmp_path):
    file, words = tmp_path / "gold.conll", ["john", "lives", "in", "berlin", "."]
    tags = tagger.tag(words)
    letters = {"BIOES": {}, "BILOU": {"E": "L", "S": "U"}, "BMES": {"I": "M"}}
    for names in letters.values():
        gold = [f"{names.get(tag[0], tag[0])}{tag[1:]}" for tag in from_spans(to_spans(tags), len(tags), "BIOES")]
        file.write_text("".join(f"{word} {tag}\n" for word, tag in zip(words, gold, strict=True)))
        assert "accuracy: 100.00%; precision: 100.00%; recall: 100.00%" in run("eval", file)[1]
    file.write_text("john B-PER\nlives 0\n")
    assert run("eval", file)[::2] == (2, f"nerlite: {file}:2: tag '0': expected O or PREFIX-LABEL, the prefix one of "
                                         "B, I, E, S, L, U, M (--tag-column says where the tags are)\n")
    file.write_text("B-PER\tjohn\nO\tlives\n")
    assert run("eval", "--word-column", 2, "--tag-column", 1, file)[::2] == (0, "")


def test_eval_says_which_labels_the_model_does_not_have(run, tagger, tmp_path):
    file = tmp_path / "gold.conll"
    file.write_text("john B-PER\nlives O\nthere B-location\n")
    status, _, said = run("eval", file)
    assert (status, said) == (0, f"nerlite: {file}: the model has no label location; it has "
                                 f"{', '.join(tagger.labels)}\n")


def test_timings_say_where_the_time_went_and_change_nothing(run):
    _, expected, _ = run("tag", stdin=lines_of(TEXTS))
    status, output, errors = run("tag", "--timings", stdin=lines_of(TEXTS))
    assert (status, output) == (0, expected)
    seconds = dict(re.findall(r"(?m)^(\w+) +([\d.]+) s", errors))
    assert {"reading", "splitting", "pieces", "characters", "encoder", "head", "decoding", "writing"} < seconds.keys()
    assert float(seconds["encoder"]) > 0


def test_messages_are_without_control_characters(run, capfdbinary):
    assert run("eval", "\x1b[31mred.txt")[2] == "nerlite: \\x1b[31mred.txt: no such file\n"
    with pytest.raises(SystemExit):
        cli.main(["tag", "--\x1b[31m"])
    assert rb"\x1b[31m" in capfdbinary.readouterr().err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_a_version_that_cannot_be_written_is_an_error():
    with Path("/dev/full").open("wb") as full:
        process = subprocess.run([sys.executable, "-m", "nerlite", "--version"], cwd=ROOT, stdout=full, check=False,
                                 stderr=subprocess.PIPE)
    assert (process.returncode, process.stderr) == (1, b"nerlite: [Errno 28] No space left on device\n")


@pytest.mark.skipif(os.name != "posix", reason="limits of a POSIX system")
def test_a_full_disk_leaves_whole_lines(tiny_model, tmp_path):
    import resource

    (tmp_path / "in.txt").write_bytes(b"John lives in Berlin\n" * 50)
    with (tmp_path / "out.jsonl").open("wb") as file:
        process = subprocess.run(
            [sys.executable, "-m", "nerlite", "tag", "--model", tiny_model, "--backend", "numpy", tmp_path / "in.txt"],
            cwd=ROOT, stdout=file, stderr=subprocess.PIPE, check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)))
    assert (process.returncode, process.stderr) == (1, b"nerlite: [Errno 27] File too large\n")
    lines = (tmp_path / "out.jsonl").read_bytes().splitlines(keepends=True)
    assert [json.loads(line)["text"] for line in lines] == ["John lives in Berlin"] * len(lines) != []


def test_a_notebooks_output_and_another_thread_will_do(monkeypatch, tiny_model, tmp_path):
    (tmp_path / "in.txt").write_text("John lives in Berlin\n")
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    statuses = []
    thread = threading.Thread(target=lambda: statuses.append(cli.main(
        ["tag", "--model", str(tiny_model), "--backend", "numpy", str(tmp_path / "in.txt")])))
    thread.start()
    thread.join()
    assert statuses == [0]
    assert json.loads(sys.stdout.getvalue())["text"] == "John lives in Berlin"


@pytest.mark.skipif(signal.getsignal(signal.SIGINT) is signal.SIG_IGN, reason="a background job has none")
def test_an_interrupt_during_imports_is_quiet(tmp_path):
    (tmp_path / "tokenizers.py").write_text(
        "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(5)")
    process = subprocess.run([sys.executable, "-m", "nerlite", "info"], cwd=ROOT, capture_output=True, check=False,
                             env=os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])})
    assert (process.returncode, process.stderr) == (130, b"")


@pytest.mark.parametrize("key", ["entities", "truncated_at"])
def test_a_text_is_not_written_over(run, key):
    status, output, errors = run("tag", "--text-key", key, "--input-format", "jsonl", stdin=b'{"entities": "x"}')
    assert (status, output) == (2, "")
    assert errors == f"nerlite: --text-key {key}: expected another key: the answer is written there\n"


def test_the_entities_are_written_over_no_other_key(run):
    for key in ("text", "truncated_at"):
        status, output, errors = run("tag", "--entities-key", key, stdin=b"x\n")
        assert (status, output) == (2, "")
        assert errors == f"nerlite: --entities-key {key}: expected a key that neither the text nor truncated_at has\n"


@pytest.mark.parametrize(("own", "other", "file", "content"), [
    ("column", "key", "a.csv", "id,text,body\n1,x,john\n"),
    ("key", "column", "a.jsonl", '{"text": "x", "body": "john"}')])
def test_where_texts_are_is_asked_as_the_format_has_it(run, tmp_path, own, other, file, content):
    """Else another text would be read, and `redact` let the names through."""
    (tmp_path / file).write_text(content)
    for command in ("tag", "count", "redact"):
        status, output, errors = run(command, f"--text-{other}", "body", tmp_path / file)
        assert (status, output) == (2, "")
        assert f"{file}: expected --text-{own}, not --text-{other}, for {file[2:]}" in errors
        assert run(command, f"--text-{other}", "x", f"--text-{own}", "body", tmp_path / file)[0] == 0


def test_what_is_written_is_not_called_compressed(run, tmp_path, capfdbinary):
    for name, content in (("map.json", "{}"), ("a.txt", "john\n")):
        (tmp_path / name).write_text(content)
    to = ["--to", str(tmp_path / "b.txt.gz"), str(tmp_path / "a.txt")]
    for command in ("tag", "redact"):
        status, _, errors = run(command, *to)
        assert status == 2 and "b.txt.gz: expected a name such as" in errors
    assert cli.main(["restore", "--map", str(tmp_path / "map.json"), *to]) == 2
    assert b"b.txt.gz: expected a name such as" in capfdbinary.readouterr().err
    assert not (tmp_path / "b.txt.gz").exists()
    (tmp_path / "a.gz").mkdir()
    assert run("tag", "--to", tmp_path / "a.gz", tmp_path / "a.txt")[0] == 0


def test_a_map_that_cannot_be_written_is_named(run, tmp_path):
    status, output, errors = run("redact", "--map", tmp_path / "none/x.json", stdin=b"john\n")
    assert (status, output) == (2, "")
    assert errors == f"nerlite: --map {tmp_path / 'none/x.json'}: No such file or directory; nothing was written\n"


def test_options_reach_the_tagger(run):
    with mock.patch.object(nerlite, "load", side_effect=nerlite.load) as load:
        assert run("tag", "--no-agreement", "--window", "--threads", "2", stdin=b"x\n")[0] == 0
        assert run("tag", stdin=b"x\n")[0] == 0
    chosen = [{name: call.kwargs[name] for name in ("agreement", "window", "threads")} for call in load.mock_calls]
    assert chosen == [{"agreement": False, "window": True, "threads": 2},
                      {"agreement": True, "window": False, "threads": None}]
