"""What each adapter costs: its words/s beside those of the bare tagger, on one thread, in turns.

    for host in spacy presidio spark ray; do .venv/hosts/$host/bin/python benchmarks/adapters.py; done
    python benchmarks/adapters.py --table

Each environment measures the adapters whose hosts it has and adds them to adapters.json in the folder of exported
models; the table is of all that are there. Sentences of CoNLL-2003 test go in as a host has them (a list of str, a data
frame in memory) and come out as it gives them. Times are of warm processes: models are read, Spark's JVM and workers
and Ray's actor are there, and words are remembered on both sides, which is where an adapter's share is largest. Beside
an adapter that is called text by text the bare tagger is, too. Seconds are those of this process's CPU, which others
that run beside it leave alone, but for Spark, whose workers are processes of their own: there they are the clock's.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from common import CACHE, sample

import nerlite
from nerlite.frames import add_entities

RESULTS = CACHE / "adapters.json"
# An adapter that costs more than this share of the words/s says why.
FIFTH = 0.2
Work = Callable[[], Any]


class Adapter(NamedTuple):
    """An adapter.

    make: from texts to what tags them; hosts: modules that it needs; single: whether it is called text by text;
    elsewhere: whether processes of its own tag; why: what it is that takes time, where that is much.
    """

    title: str
    make: Callable[[list[str]], Work]
    hosts: tuple[str, ...] = ()
    single: bool = False
    elsewhere: bool = False
    why: str = ""


def drained(items: Iterable[Any]) -> None:
    """Go through all items and keep none."""
    deque(items, maxlen=0)


def spacy_pipe(texts: list[str]) -> Work:
    """Return nlp.pipe of a blank pipeline with nerlite."""
    import spacy

    nlp = spacy.blank("en")
    nlp.add_pipe("nerlite", config={"threads": 1})
    return lambda: drained(nlp.pipe(texts, batch_size=256))


def spacy_call(texts: list[str]) -> Work:
    """Return nlp(text) of a blank pipeline with nerlite."""
    import spacy

    nlp = spacy.blank("en")
    nlp.add_pipe("nerlite", config={"threads": 1})
    return lambda: drained(map(nlp, texts))


def presidio_batch(texts: list[str]) -> Work:
    """Return a batch analyzer whose engine is nerlite's, asked for the entities that nerlite finds."""
    from presidio_analyzer import AnalyzerEngine, BatchAnalyzerEngine

    from nerlite.integrations.presidio import LABELS, NerliteNlpEngine

    engine = BatchAnalyzerEngine(AnalyzerEngine(nlp_engine=NerliteNlpEngine(threads=1), supported_languages=["en"]))
    return lambda: engine.analyze_iterator(texts, "en", entities=list(LABELS.values()))


def presidio_recognizer(texts: list[str]) -> Work:
    """Return the recognizer alone, text by text."""
    from nerlite.integrations.presidio import NerliteRecognizer

    recognizer = NerliteRecognizer(threads=1)
    return lambda: drained(recognizer.analyze(text, None) for text in texts)


def spark_frame(texts: list[str]) -> Any:
    """Return a cached frame of texts in a Spark of one core."""
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    session = (SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
               .config("spark.driver.host", "127.0.0.1").getOrCreate())
    session.sparkContext.setLogLevel("OFF")
    frame = session.createDataFrame([(text,) for text in texts], "text string").coalesce(1).cache()
    frame.count()
    return frame


def written(frame: Any) -> None:
    """Have Spark make all rows, and let go of them."""
    frame.write.format("noop").mode("overwrite").save()


def spark_udf(texts: list[str]) -> Work:
    """Return a query with `tag_udf`."""
    from nerlite.integrations.spark import tag_udf

    tagged = spark_frame(texts).withColumn("entities", tag_udf()("text"))
    return lambda: written(tagged)


def spark_batches(texts: list[str]) -> Work:
    """Return a query with mapInPandas."""
    from nerlite.integrations.spark import tag_batches, with_entities

    frame = spark_frame(texts)
    tagged = frame.mapInPandas(tag_batches(), with_entities(frame.schema))
    return lambda: written(tagged)


def spark_annotate(texts: list[str]) -> Work:
    """Return a query with Spark NLP's columns."""
    from nerlite.integrations.spark import annotate

    annotated = annotate(spark_frame(texts))
    return lambda: written(annotated)


def ray_batches(texts: list[str]) -> Work:
    """Return the class that Ray's actors make, called as one of them calls it, in this process."""
    import pyarrow as pa

    from nerlite.integrations.ray import TagBatches

    tag, table = TagBatches(), pa.table({"text": texts})
    return lambda: drained(tag(batch) for batch in (table.slice(start, 1024) for start in range(0, len(texts), 1024)))


def pandas_column(texts: list[str]) -> Work:
    """Return `add_entities` to a pandas frame."""
    import pandas as pd

    tagger, frame = nerlite.load(threads=1), pd.DataFrame({"text": texts})
    return lambda: add_entities(frame, "text", tagger)


def arrow_column(texts: list[str]) -> Work:
    """Return `add_entities` to an Arrow table."""
    import pyarrow as pa

    tagger, table = nerlite.load(threads=1), pa.table({"text": texts})
    return lambda: add_entities(table, "text", tagger)


def lambda_texts(texts: list[str]) -> Work:
    """Return the Lambda handler, a hundred texts a request, as bodies of an HTTP API."""
    return _lambda([json.dumps({"texts": texts[start:start + 100]}) for start in range(0, len(texts), 100)])


def lambda_text(texts: list[str]) -> Work:
    """Return the Lambda handler, a text a request."""
    return _lambda([json.dumps({"text": text}) for text in texts])


def _lambda(bodies: list[str]) -> Work:
    from nerlite.integrations.aws_lambda import handler

    os.environ["OMP_NUM_THREADS"] = "1"  # the handler's tagger takes as many threads as the function has cores
    events = [{"version": "2.0", "requestContext": {"http": {"method": "POST"}}, "body": body} for body in bodies]
    return lambda: drained(map(handler, events))


ADAPTERS = {
    "spacy-pipe": Adapter("spaCy, nlp.pipe", spacy_pipe, ("spacy",)),
    "spacy-call": Adapter("spaCy, nlp(text)", spacy_call, ("spacy",), single=True),
    "presidio-batch": Adapter("Presidio, BatchAnalyzerEngine", presidio_batch, ("presidio_analyzer",),
                              why="Presidio goes through each text's words, context and results itself"),
    "presidio-recognizer": Adapter("Presidio, NerliteRecognizer", presidio_recognizer, ("presidio_analyzer",),
                                   single=True),
    "spark-udf": Adapter("Spark, tag_udf", spark_udf, ("pyspark",), elsewhere=True),
    "spark-batches": Adapter("Spark, mapInPandas", spark_batches, ("pyspark",), elsewhere=True),
    "spark-annotate": Adapter("Spark, annotate", spark_annotate, ("pyspark",), elsewhere=True),
    "ray": Adapter("Ray Data, TagBatches", ray_batches, ("ray",)),
    "pandas": Adapter("pandas, add_entities", pandas_column, ("pandas",)),
    "arrow": Adapter("Arrow, add_entities", arrow_column, ("pyarrow",)),
    "lambda-texts": Adapter("Lambda, 100 texts a request", lambda_texts),
    "lambda-text": Adapter("Lambda, a text a request", lambda_text, single=True),
}


def measure(adapter: Adapter, n_sentences: int, n_pairs: int) -> dict[str, float]:
    """Return words/s of the bare tagger and of the adapter, and the share of them that the adapter costs."""
    sentences = sample(n_sentences)
    texts, n_words = [each.text for each in sentences], sum(each.n_words for each in sentences)
    tagger, work = nerlite.load(threads=1), adapter.make(texts)

    def bare() -> None:
        drained(map(tagger, texts) if adapter.single else tagger.pipe(texts))

    clock = time.perf_counter if adapter.elsewhere else time.process_time
    seconds: dict[Work, list[float]] = {bare: [], work: []}
    for n in range(n_pairs + 1):
        for side, taken in seconds.items():
            started = clock()
            side()
            if n:  # both are warm
                taken.append(clock() - started)
    return {"bare": n_words / statistics.median(seconds[bare]), "adapter": n_words / statistics.median(seconds[work]),
            "cost": 1 - statistics.median(a / b for a, b in zip(*seconds.values(), strict=True))}


def table(results: dict[str, dict[str, float]]) -> str:
    """Return the results as Markdown; an adapter that costs more than a fifth says why."""
    lines = ["| words/s, 1 thread | bare tagger | adapter | costs | |", "| --- | ---: | ---: | ---: | --- |"]
    for name, adapter in ADAPTERS.items():
        if each := results.get(name):
            cells = [adapter.title, f"{each['bare']:,.0f}", f"{each['adapter']:,.0f}", f"{each['cost']:.0%}",
                     adapter.why if each["cost"] > FIFTH else ""]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure what can be measured here, and print the table of all."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("names", nargs="*", metavar="ADAPTER", help=f"of {', '.join(ADAPTERS)}; default: all")
    options.add_argument("--sentences", type=int, default=1000)
    options.add_argument("--pairs", type=int, default=7)
    options.add_argument("--table", action="store_true", help="measure nothing")
    chosen = options.parse_args()
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    for name in [] if chosen.table else chosen.names or ADAPTERS:
        if all(importlib.util.find_spec(host) for host in ADAPTERS[name].hosts):
            results[name] = measure(ADAPTERS[name], chosen.sentences, chosen.pairs)
            RESULTS.parent.mkdir(parents=True, exist_ok=True)
            RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(table(results))


if __name__ == "__main__":
    main()
