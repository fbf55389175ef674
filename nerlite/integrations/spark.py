"""nerlite on Apache Spark: a pandas UDF, a function for mapInPandas, and Spark NLP's columns for who migrates.

Each Python worker process reads the model once, when its first text comes, and uses one thread: Spark runs a worker a
core. The model is named as in `nerlite.load`; a path is one on the workers, so a folder that `--archives` unpacked
will do.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import nerlite
from nerlite.frames import FIELDS, add_entities
from nerlite.integrations.hosts import needs
from nerlite.sparknlp import to_annotations
from nerlite.sparknlp.annotations import Annotation

with needs("spark"):
    import pandas as pd
    import pyarrow as pa
    from pyspark.sql import DataFrame, types
    from pyspark.sql.functions import pandas_udf
    from pyspark.sql.types import (
        ArrayType,
        FloatType,
        IntegerType,
        MapType,
        StringType,
        StructField,
        StructType,
    )

ENTITY = StructType([StructField(name, getattr(types, kind.spark)(), False) for name, kind in FIELDS.items()])
ENTITIES = ArrayType(ENTITY, False)

# Spark NLP's columns and the types of their annotations, see its Annotation.scala.
ANNOTATOR_TYPES = {"document": "document", "token": "token", "ner": "named_entity", "ner_chunk": "chunk"}
ANNOTATIONS = ArrayType(StructType([
    StructField("annotatorType", StringType(), True),
    StructField("begin", IntegerType(), False),
    StructField("end", IntegerType(), False),
    StructField("result", StringType(), True),
    StructField("metadata", MapType(StringType(), StringType(), True), True),
    StructField("embeddings", ArrayType(FloatType(), False), True),
]), True)
_ARROW_ANNOTATIONS = pa.list_(pa.field("element", pa.struct([
    pa.field("annotatorType", pa.string()),
    pa.field("begin", pa.int32(), nullable=False),
    pa.field("end", pa.int32(), nullable=False),
    pa.field("result", pa.string()),
    pa.field("metadata", pa.map_(pa.string(), pa.string())),
    pa.field("embeddings", pa.list_(pa.field("element", pa.float32(), nullable=False))),
])))


def tag_udf(model: str | None = None, *, backend: str = "auto", window: bool = False) -> Callable[..., Any]:
    """Return a UDF from a column of texts to their entities, an array of structs; null texts give null.

        frame.withColumn("entities", tag_udf()("text"))

    model, backend, window: as in `nerlite.load`.
    """
    @pandas_udf(ENTITIES)
    def entities(batches: Iterator[pd.Series]) -> Iterator[pd.Series]:
        for texts in batches:
            yield add_entities(texts.to_frame("text"), "text", _tagger(model, backend, window), "entities")["entities"]

    return entities


def tag_batches(column: str = "text", output: str = "entities", model: str | None = None, *, backend: str = "auto",
                window: bool = False) -> Callable[[Iterable[pd.DataFrame]], Iterator[pd.DataFrame]]:
    """Return a function for mapInPandas that adds the entities of a column of texts; the others go through.

        frame.mapInPandas(tag_batches("text"), with_entities(frame.schema))

    model, backend, window: as in `nerlite.load`.
    """
    def tagged(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for rows in batches:
            yield add_entities(rows, column, _tagger(model, backend, window), output)

    return tagged


def with_entities(schema: StructType, output: str = "entities") -> StructType:
    """Return a frame's schema with the column that `tag_batches` adds; ValueError where there is such a column."""
    return _with_columns(schema, [StructField(output, ENTITIES)])


def annotate(frame: DataFrame, column: str = "text", model: str | None = None, *, backend: str = "auto",
             window: bool = False) -> DataFrame:
    """Return the frame with the columns of Spark NLP's pipeline: document, token, ner and ner_chunk.

    Their types, names and metadata are those that Spark NLP's `PipelineModel.transform` gives, so that what reads its
    columns goes on working; a model converted from Spark NLP gives its annotations of one document a batch. A null
    text has none, an empty array in each column.

    model, backend, window: as in `nerlite.load`. ValueError where the frame has such a column already, or no column of
    texts.
    """
    if column not in frame.columns:
        raise ValueError(f"column: expected one of the frame's, {', '.join(frame.columns)}, got {column!r}")
    schema = _with_columns(frame.schema, [StructField(name, ANNOTATIONS, metadata={"annotatorType": kind})
                                          for name, kind in ANNOTATOR_TYPES.items()])

    def annotated(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            texts = batch.column(column).to_pylist()
            documents = _tagger(model, backend, window).pipe(text for text in texts if text is not None)
            annotations = [{} if text is None else to_annotations(next(documents)) for text in texts]
            columns = [pa.array([[_row(each) for each in of_text.get(name, ())] for of_text in annotations],
                                _ARROW_ANNOTATIONS) for name in ANNOTATOR_TYPES]
            yield pa.RecordBatch.from_arrays([*batch.columns, *columns], [*batch.schema.names, *ANNOTATOR_TYPES])

    return frame.mapInArrow(annotated, schema)


@functools.cache  # in a worker process, for all that it tags
def _tagger(model: str | None, backend: str, window: bool) -> nerlite.Tagger:
    return nerlite.load(model, backend=backend, threads=1, window=window)


def _with_columns(schema: StructType, columns: list[StructField]) -> StructType:
    if taken := sorted({column.name for column in columns} & set(schema.names)):
        raise ValueError(f"frame: has a column {taken[0]!r} already, expected that name to be free")
    return StructType([*schema.fields, *columns])


def _row(annotation: Annotation) -> dict[str, Any]:
    """Return an annotation as a struct of Spark NLP's; a data frame's document says that it is sentence 0, too."""
    return {**annotation, "metadata": list({"sentence": "0", **annotation["metadata"]}.items()), "embeddings": []}
