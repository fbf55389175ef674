"""nerlite in a real Spark, with Python workers of its own."""

import gzip
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("pyspark")
if not (shutil.which("java") or os.environ.get("JAVA_HOME")):
    pytest.skip("Spark needs a Java runtime", allow_module_level=True)

import pandas as pd
from pyspark.sql import SparkSession

import nerlite
from nerlite.integrations import spark as integration
from nerlite.integrations.spark import annotate, tag_batches, tag_udf, with_entities
from nerlite.sparknlp import to_annotations

pytestmark = pytest.mark.filterwarnings("default")
TEXTS = ["My name is John and I work for Acme in Berlin.", None, "", "nothing here",
         "Łódź 🙂 and New York 🗽 with Obama."] * 8
# What Spark NLP's Annotation.dataType prints.
ANNOTATION = """
root
 |-- {name}: array (nullable = true)
 |    |-- element: struct (containsNull = true)
 |    |    |-- annotatorType: string (nullable = true)
 |    |    |-- begin: integer (nullable = false)
 |    |    |-- end: integer (nullable = false)
 |    |    |-- result: string (nullable = true)
 |    |    |-- metadata: map (nullable = true)
 |    |    |    |-- key: string
 |    |    |    |-- value: string (valueContainsNull = true)
 |    |    |-- embeddings: array (nullable = true)
 |    |    |    |-- element: float (containsNull = false)
"""


@pytest.fixture(scope="module")
def spark():
    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    session = (SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
               .config("spark.sql.shuffle.partitions", "2").config("spark.driver.host", "127.0.0.1").getOrCreate())
    session.sparkContext.setLogLevel("OFF")
    yield session
    session.stop()


@pytest.fixture(scope="module")
def frame(spark):
    return spark.createDataFrame(list(enumerate(TEXTS)), "id int, text string").repartition(4)


@pytest.fixture(scope="module")
def tagger():
    return nerlite.load()


@pytest.fixture(scope="module")
def expected(tagger):
    return {i: None if text is None else [entity.to_dict() for entity in tagger(text).entities]
            for i, text in enumerate(TEXTS)}


def by_id(rows, column="entities"):
    return {row.id: row[column] and [each.asDict(recursive=True) for each in row[column]] for row in rows}


def test_a_udf_gives_typed_structs(frame, expected):
    tagged = frame.withColumn("entities", tag_udf()("text"))
    assert tagged.schema["entities"].dataType.simpleString() == (
        "array<struct<text:string,label:string,start:bigint,end:bigint,score:double>>")
    assert by_id(tagged.collect()) == expected
    labels = tagged.selectExpr("explode(entities) as entity").groupBy("entity.label").count().collect()
    assert {row.label: row["count"] for row in labels} == {"PER": 16, "ORG": 8, "LOC": 24}


def test_map_in_pandas_keeps_the_other_columns(frame, expected):
    tagged = frame.mapInPandas(tag_batches("text", "names"), with_entities(frame.schema, "names"))
    assert tagged.columns == ["id", "text", "names"]
    rows = tagged.collect()
    assert by_id(rows, "names") == expected
    assert {row.id: row.text for row in rows} == dict(enumerate(TEXTS))
    with pytest.raises(ValueError, match="'text' already"):
        with_entities(frame.schema, "text")


def test_a_worker_reads_the_model_once_and_uses_one_thread(spark):
    """As many loads as processes, though each of them has many batches of several partitions and both functions."""
    def count(batches):
        for rows in batches:
            list(tag_batches()(iter([rows])))
            found = integration._tagger.cache_info().misses, integration._tagger(None, "auto", False).threads
            yield pd.DataFrame({"pid": [os.getpid()], "loads": [found[0]], "threads": [found[1]]})

    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", 10)
    try:
        rows = spark.createDataFrame([("EU",)] * 400, "text string").repartition(8).mapInPandas(
            count, "pid int, loads int, threads int").collect()
    finally:
        spark.conf.unset("spark.sql.execution.arrow.maxRecordsPerBatch")
    assert len(rows) >= 40
    assert len({row.pid for row in rows}) <= 2
    assert {(row.loads, row.threads) for row in rows} == {(1, 1)}


def test_annotate_has_spark_nlps_schema(frame, tagger):
    annotated = annotate(frame)
    assert annotated.columns == ["id", "text", "document", "token", "ner", "ner_chunk"]
    for name, kind in {"document": "document", "token": "token", "ner": "named_entity", "ner_chunk": "chunk"}.items():
        column = annotated.select(name)
        assert column.schema.treeString().strip() == ANNOTATION.format(name=name).strip()
        assert column.schema[name].metadata == {"annotatorType": kind}
    rows = {row.id: row for row in annotated.collect()}
    assert rows.keys() == set(range(len(TEXTS)))
    for i, text in enumerate(TEXTS):
        ours = {name: [] for name in ("document", "token", "ner", "ner_chunk")} if text is None else to_annotations(
            tagger(text))
        for name, annotations in ours.items():
            assert [each.asDict(recursive=True) for each in rows[i][name]] == [
                {**each, "metadata": {"sentence": "0", **each["metadata"]}, "embeddings": []} for each in annotations]
    with pytest.raises(ValueError, match="'token' already"):
        annotate(annotated.select("text", "token"))
    with pytest.raises(ValueError, match="one of the frame's, id, text, got 'body'"):
        annotate(frame, "body")


def test_what_is_made_of_a_spark_nlp_pipeline_gives_its_data_frame(spark, data, tmp_path):
    """Its scores depend on what else is in the batch, ours do not: all but confidences, and the tags of six documents
    that change with them."""
    pytest.importorskip("google.protobuf")
    golden, model = data / "sparknlp", tmp_path / "model"
    tool = Path(__file__).parents[2] / "tools" / "convert_sparknlp"
    subprocess.run([sys.executable, tool, golden / "pipeline.zip", model], check=True, capture_output=True)
    texts = [json.loads(line) for line in (golden / "docs.jsonl").read_text(encoding="utf-8").splitlines()]
    frame = spark.createDataFrame([(row["id"], row["text"]) for row in texts], "id string, text string")
    found = {row.id: row.asDict(recursive=True) for row in annotate(frame, model=str(model)).collect()}
    n_different = 0
    for line in gzip.decompress((golden / "dataframe.jsonl.gz").read_bytes()).decode().splitlines():
        theirs = json.loads(line)
        ours = found.pop(theirs["id"])
        assert comparable(ours["document"]) == comparable(theirs["document"])
        assert comparable(ours["token"]) == comparable(theirs["token"])
        same = comparable(ours["ner"]) == comparable(theirs["ner"])
        assert not same or comparable(ours["ner_chunk"]) == comparable(theirs["entities"])
        n_different += not same
    assert not found
    assert n_different <= 6


def comparable(annotations):
    """Annotations with their confidences' names, but not their values, and no vectors."""
    return [{**each, "embeddings": None, "metadata": {key: None if key == "confidence" else value for key, value in
                                                      each["metadata"].items()}} for each in annotations]


def test_a_missing_model_says_so(frame):
    with pytest.raises(Exception, match=r"no-such-model.*no such directory"):
        frame.select(tag_udf("no-such-model")("text")).collect()


ARCHIVED = """
import sys
from pyspark.sql import SparkSession
import pandas as pd
spark = SparkSession.builder.getOrCreate()
spark.sparkContext.setLogLevel("OFF")
from nerlite.integrations.spark import tag_udf

def where(batches):
    import nerlite, os
    for rows in batches:
        yield pd.DataFrame({"file": [os.path.relpath(nerlite.__file__)]})

frame = spark.createDataFrame([("EU",), ("Berlin",)], "text string").repartition(2)
print("FILES", {row.file for row in frame.mapInPandas(where, "file string").collect()})
print("FOUND", sorted(row.entities[0].label for row in frame.select(tag_udf()("text").alias("entities")).collect()))
"""


def test_executors_take_nerlite_out_of_an_archive(tmp_path):
    """Executors in processes and folders of their own; what they import lies in the unpacked archive."""
    package = Path(nerlite.__file__).parent
    folder = tmp_path / "deps"
    shutil.copytree(package, folder / "nerlite", ignore=shutil.ignore_patterns("__pycache__"))
    if not (package / "models").is_dir():  # a checkout's
        shutil.copytree(package.parent / "weights", folder / "nerlite" / "models")
    archive = shutil.make_archive(str(tmp_path / "deps"), "zip", folder)
    script = tmp_path / "job.py"
    script.write_text(ARCHIVED, encoding="utf-8")
    import pyspark

    submit = Path(pyspark.__file__).parent / "bin" / "spark-submit"
    environment = {**os.environ, "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1",
                   "PYTHONPATH": str(package.parent)}
    done = subprocess.run([submit, "--master", "local-cluster[2,1,1024]", "--archives", f"{archive}#deps",
                           "--conf", "spark.executorEnv.PYTHONPATH=deps", "--conf", "spark.executor.memory=512m",
                           "--conf", "spark.ui.enabled=false", script],
                          capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=1200)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "FILES {'deps/nerlite/__init__.py'}" in done.stdout
    assert "FOUND ['LOC', 'ORG']" in done.stdout


def test_the_example_prints_what_it_says(check_example):
    check_example("in_spark.py")
