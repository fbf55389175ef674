"""Parquet, by pyarrow: a row a text, whose columns are kept, and a column of entities, a list of structs a row."""

from __future__ import annotations

import base64
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from nerlite.document import Document
from nerlite.errors import InputError, Place
from nerlite.frames import arrow_type
from nerlite.io.base import ReadOptions, Record, WriteOptions, entity_dicts

# Rows that are read together.
ROWS_READ = 1024


def arrow(where: Place) -> tuple[Any, Any]:
    """Return the modules pyarrow and pyarrow.parquet; where: what they are for, for `InputError`."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise InputError("Parquet takes a package: pip install 'nerlite[parquet]'", where) from None
    return pyarrow, pyarrow.parquet


def read_file(file: str, name: str, options: ReadOptions) -> Iterator[Record]:
    """Yield the text of each row, in the column options.text_column; some rows in memory at once."""
    column, number = options.text_column, 0
    for batch in batches_of(file, name):
        options.check_column(batch.schema.names, Place(name))
        if not has_strings(batch, column):
            raise InputError(f"column {column!r}: expected strings, got {batch.schema.field(column).type}", Place(name))
        for i, text in enumerate(batch.column(column).to_pylist()):
            number += 1
            where = Place(name, number)
            yield Record(text, where, row=Row(batch, i, where))


def batches_of(file: str, name: str) -> Iterator[Any]:
    """Yield the record batches of a file, pyarrow's; first one without rows, which has the columns."""
    pa, pq = arrow(Place(name))
    try:
        with pq.ParquetFile(file) as parquet:
            names = parquet.schema_arrow.names
            if len(set(names)) < len(names):
                raise InputError(f"expected each column once, got {', '.join(map(repr, names)):.500}", Place(name))
            yield pa.RecordBatch.from_pylist([], parquet.schema_arrow)
            for batch in parquet.iter_batches(ROWS_READ):
                batch.validate(full=True)  # what it says of its texts is believed otherwise
                yield batch
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:  # of values, and of names
        raise InputError(f"not a readable Parquet file: {error}", Place(name)) from None


def has_strings(batch: Any, column: str) -> bool:
    """Whether a column of a record batch holds texts."""
    from pyarrow import types

    kind = batch.schema.field(column).type
    return bool(types.is_string(kind) or types.is_large_string(kind))


def with_strings(batch: Any, change: Callable[[str, str], str], leave_out: Collection[str] = ()) -> Any:
    """Return a record batch with what `change` makes of each column's name and text in it, and without some columns."""
    import pyarrow as pa

    fields = [field for field in batch.schema if field.name not in leave_out]
    columns = [pa.array([text if text is None else change(field.name, text)
                         for text in batch.column(field.name).to_pylist()], field.type)
               if has_strings(batch, field.name) else batch.column(field.name) for field in fields]
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields, batch.schema.metadata))


class Row(Mapping[str, Any]):
    """A row of a batch, its values made when they are asked for."""

    def __init__(self, batch: Any, index: int, where: Place) -> None:
        """batch: of pyarrow; where: for `InputError`."""
        self.batch, self.index, self.where = batch, index, where

    def __getitem__(self, name: str) -> Any:
        """Return a value; `InputError` for what Python has none for, such as a time in the year 100,000."""
        value = self.batch.column(name)[self.index]
        try:
            return value.as_py()
        except (OverflowError, ValueError) as error:  # pyarrow's own is a ValueError
            raise InputError(f"column {name!r}: a {value.type} that can't be written: {error}", self.where) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self.batch.schema.names)

    def __len__(self) -> int:
        return len(self.batch.schema.names)


class Tables:
    """Makes tables of documents, which may be parts of one that has the columns of all."""

    def __init__(self, options: WriteOptions) -> None:
        """options: how entities are written."""
        import pyarrow

        self._pa, self._options = pyarrow, options
        self._schema: Any = None
        self._entities = arrow_type(pyarrow)

    def state(self) -> str | None:
        """Return the columns of all tables so far, to go on with."""
        return self._schema and base64.b64encode(self._schema.serialize()).decode("ascii")

    def go_on(self, state: str | None) -> None:
        """Go on behind an earlier run's tables."""
        if state is not None:
            self._schema = self._pa.ipc.read_schema(self._pa.py_buffer(base64.b64decode(state)))

    def take(self, schema: Any) -> None:
        """Take the schema, pyarrow's, of one more table; `ArrowException` where no table holds it and the others."""
        schemas = [schema] if self._schema is None else [self._schema, schema]
        schema = self._pa.unify_schemas(schemas, promote_options="permissive")
        entities = schema.get_field_index(self._options.entities_key)  # the last column
        self._schema = schema.remove(entities).append(schema.field(entities))

    def whole(self, table: Any) -> Any:
        """Return a table with the columns of all, null where it has none."""
        for field in self._schema:
            if field.name not in table.column_names:
                table = table.append_column(field, self._pa.nulls(table.num_rows, field.type))
        return table.select(self._schema.names).cast(self._schema)

    def table(self, documents: list[tuple[Document, Record]]) -> Any:
        """Return a table of pyarrow's."""
        key, where = self._options.entities_key, documents[0][1].where if documents else None
        for _, record in documents:
            self._options.check_free("column", record.row or (), record.where)
        try:
            table = self._columns([record for _, record in documents])
            entities = [entity_dicts(document, self._options.offset_unit) for document, _ in documents]
            table = table.append_column(key, self._pa.array(entities, self._entities))
            self.take(table.schema)
            return table
        except (self._pa.ArrowException, UnicodeError, TypeError, OverflowError) as error:
            raise InputError(f"not of one table with the texts before it: {error}", where) from None

    def _columns(self, records: list[Record]) -> Any:
        """Return what came with the texts; where nothing did, the texts."""
        parts: list[Any] = []
        rows: list[dict[str, Any]] = []
        for record in records:
            if isinstance(record.row, Row):
                parts += self._pending(rows)
                parts.append(self._pa.Table.from_batches([record.row.batch.slice(record.row.index, 1)]))
            else:
                text = record.text if record.text is None or isinstance(record.text, str) else " ".join(
                    word for sentence in record.text for word in sentence)
                rows.append({"text": text} if record.row is None else dict(record.row))
        parts += self._pending(rows)
        if not parts:
            return self._pa.table({"text": self._pa.array([], self._pa.string())})
        return self._pa.concat_tables(parts, promote_options="permissive").combine_chunks()

    def _pending(self, rows: list[dict[str, Any]]) -> list[Any]:
        if not rows:
            return []
        names = list(dict.fromkeys(name for row in rows for name in row))
        columns = [self._pa.array([row.get(name) for row in rows]) for name in names]
        rows.clear()
        return [self._pa.table(columns, names)]
