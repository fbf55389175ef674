"""nerlite in Ray Data, `pip install 'nerlite[ray]'`, and in Dask, which needs no adapter.

Prints:

    Ray: 120 rows, 40 of them with Berlin
    Dask: 120 rows, 40 of them with Berlin
"""

from collections.abc import Iterable
from typing import Any

import dask.dataframe
import pandas as pd
import ray

import nerlite
from nerlite.frames import add_entities
from nerlite.integrations.ray import TagBatches

frame = pd.DataFrame({"text": ["It rained in Berlin.", "Nobody was there.", "The train to Paris left."] * 40})


def with_berlin(rows: Iterable[Any]) -> int:
    """Return how many rows have an entity of that name."""
    return sum(any(entity["text"] == "Berlin" for entity in entities) for entities in rows)


# Two actors, a core each; each reads the model once. A third core is for what feeds them.
ray.init(num_cpus=3, include_dashboard=False, log_to_driver=False)
ray.data.DataContext.get_current().enable_progress_bars = False
tagged = ray.data.from_pandas([frame[:60], frame[60:]]).map_batches(
    TagBatches, batch_format="pyarrow", compute=ray.data.ActorPoolStrategy(size=2))
rows = [row["entities"] for row in tagged.take_all()]
print(f"Ray: {len(rows)} rows, {with_berlin(rows)} of them with Berlin")
ray.shutdown()

# A tagger travels to Dask's workers as its model's path and its options.
parts = dask.dataframe.from_pandas(frame, npartitions=4)
tagged = parts.map_partitions(add_entities, "text", nerlite.load(threads=1), meta={"text": object, "entities": object})
rows = tagged.compute(scheduler="threads")["entities"]
print(f"Dask: {len(rows)} rows, {with_berlin(rows)} of them with Berlin")
