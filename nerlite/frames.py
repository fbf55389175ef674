"""Tagged texts as data frames, and data frames with their texts tagged: pandas, Polars, Arrow, DuckDB."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from nerlite.document import Document

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl



class Type(NamedTuple):
    """What each library calls a type."""

    pandas: str
    polars: str
    arrow: str
    duckdb: str
    spark: str


_TEXT = Type("str", "String", "string", "VARCHAR", "StringType")
_INTEGER = Type("int64", "Int64", "int64", "BIGINT", "LongType")
_NUMBER = Type("float64", "Float64", "float64", "DOUBLE", "DoubleType")
# An entity's fields.
FIELDS = {"text": _TEXT, "label": _TEXT, "start": _INTEGER, "end": _INTEGER, "score": _NUMBER}


class TextTagger(Protocol):
    """What is needed of a tagger."""

    def pipe(self, texts: Iterable[str]) -> Iterator[Document]:
        """Tag texts, in order."""


def to_frame(documents: Iterable[Document | tuple[Document, Any] | None],
             library: Literal["pandas", "polars"] = "pandas") -> pd.DataFrame | pl.DataFrame:
    """Return a frame of entities, a row each: columns document, text, label, start, end, score.

    documents: what `Tagger.pipe` yields; None is a document without entities, such as that of a null text.
    document: its number, from 0, or in place of that the context of a (document, context) pair.
    ImportError where the library is not installed.
    """
    if isinstance(documents, Document):
        raise TypeError("documents: expected an iterable of documents, got one document; [document] is one")
    if library not in ("pandas", "polars"):
        raise ValueError(f"library: expected 'pandas' or 'polars', got {library!r}")
    keys: list[Any] = []
    columns: dict[str, list[Any]] = {name: [] for name in FIELDS}
    paired = False
    for number, item in enumerate(documents):
        paired = paired or isinstance(item, tuple)
        document, key = item if isinstance(item, tuple) else (item, number)
        if not isinstance(document, Document | None):
            raise TypeError(f"documents: expected documents, got {type(document).__name__} at {number}")
        for entity in document.entities if document else ():
            keys.append(key)
            for name, values in columns.items():
                values.append(getattr(entity, name))
    if library == "polars":
        pl = _module("polars")
        schema = {"document": None if paired and keys else pl.Int64, **_polars_fields(pl)}
        return pl.DataFrame({"document": keys, **columns}, schema=schema)
    pd = _module("pandas")
    return pd.DataFrame({"document": pd.Series(keys, dtype=None if paired and keys else "int64"),
                         **{name: pd.Series(values, dtype=FIELDS[name].pandas) for name, values in columns.items()}})


def add_entities(frame: Any, column: str, tagger: TextTagger, into: str = "entities") -> Any:
    """Return a pandas or Polars frame or an Arrow table with a column more: each text's entities, a list of structs.

    column: where the texts are; a null has null for its entities. into: the new column's name; one of that name is
    replaced. In pandas, which has no type for them, the lists and structs are Python's lists and dicts.
    """
    kind = next((name for each in type(frame).__mro__ if each.__name__ in ("DataFrame", "Table")
                 for name in ("pandas", "polars", "pyarrow") if each.__module__.split(".")[0] == name), None)
    if kind is None:
        raise TypeError("frame: expected a pandas or Polars DataFrame or a pyarrow Table, got "
                        f"{type(frame).__module__}.{type(frame).__name__}")
    names = list(frame.column_names if kind == "pyarrow" else frame.columns)
    if names.count(column) != 1:
        raise ValueError(f"column: expected one of the frame's, {', '.join(map(repr, names))}, got {column!r}")
    if kind == "pandas":
        texts = frame[column]
        found = _entities(texts.astype(object).where(texts.notna(), None), column, tagger)
        return frame.assign(**{into: _module("pandas").Series(found, index=frame.index, dtype=object)})
    if kind == "polars":
        pl = _module("polars")
        fields = pl.List(pl.Struct(_polars_fields(pl)))
        return frame.with_columns(pl.Series(into, _entities(frame[column], column, tagger), dtype=fields))
    found = _arrow(_entities(frame[column].to_pylist(), column, tagger))
    return frame.set_column(names.index(into), into, found) if into in names else frame.append_column(into, found)


def add_function(connection: Any, tagger: TextTagger, name: str = "entities") -> None:
    """Give a DuckDB connection an SQL function of a text, whose value is its entities, a list of structs, or null.

    It tags about two thousand rows at a time, so that tables may be larger than memory. Needs pyarrow.
    """
    fields = ", ".join(f'"{field}" {kind.duckdb}' for field, kind in FIELDS.items())
    _module("pyarrow")
    connection.create_function(name, lambda texts: _arrow(_entities(texts.to_pylist(), name, tagger)), ["VARCHAR"],
                               f"STRUCT({fields})[]", type="arrow", null_handling="special")


def _entities(texts: Iterable[Any], column: str, tagger: TextTagger) -> list[list[dict[str, Any]] | None]:
    """Return each text's entities, None for a None; column: named where a text is neither."""
    texts = list(texts)
    for row, text in enumerate(texts):
        if not isinstance(text, str | None):
            raise TypeError(f"column {column!r}: expected texts and nulls, got {type(text).__name__} in row {row}")
    documents = tagger.pipe(text for text in texts if text is not None)
    return [None if text is None else [entity.to_dict() for entity in next(documents).entities] for text in texts]


def _arrow(found: list[list[dict[str, Any]] | None]) -> Any:
    """Return entities as an Arrow array."""
    pa = _module("pyarrow")
    return pa.array(found, arrow_type(pa))


def arrow_type(pa: Any) -> Any:
    """Return the type of a text's entities; pa: the module pyarrow."""
    return pa.list_(pa.struct([(name, getattr(pa, kind.arrow)()) for name, kind in FIELDS.items()]))


def _polars_fields(pl: Any) -> dict[str, Any]:
    return {name: getattr(pl, kind.polars) for name, kind in FIELDS.items()}


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise ImportError(f"nerlite needs {name} for this, which is not installed: pip install {name}") from None
