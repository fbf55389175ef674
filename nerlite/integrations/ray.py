"""nerlite in Ray Data: a callable class for `map_batches`."""

from __future__ import annotations

import nerlite
from nerlite.frames import add_entities
from nerlite.integrations.hosts import needs

with needs("ray"):
    import pyarrow as pa


class TagBatches:
    """Adds the entities of a column of texts to Arrow tables, as `nerlite.frames.add_entities` does.

        dataset.map_batches(TagBatches, batch_format="pyarrow", compute=ray.data.ActorPoolStrategy(size=8))

    Each actor reads the model once and uses one thread, as Ray gives it one core; with `num_cpus=n` and `threads=n`
    more. A null text has null for its entities, and a batch in which there are none has the column's type all the same.

    column: where the texts are; into: the new column's name. model, backend, threads, window: as in `nerlite.load`, a
    path being one on the actor's machine; all of them go into `fn_constructor_kwargs`.
    """

    def __init__(self, column: str = "text", into: str = "entities", model: str | None = None, *,
                 backend: str = "auto", threads: int = 1, window: bool = False) -> None:
        self._column, self._into = column, into
        self._tagger = nerlite.load(model, backend=backend, threads=threads, window=window)

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Tag a batch; TypeError for one of another format."""
        if not isinstance(batch, pa.Table):
            raise TypeError("batch: expected a pyarrow Table, as map_batches gives it with batch_format='pyarrow', got "
                            f"{type(batch).__name__}")
        return add_entities(batch, self._column, self._tagger, self._into)
