"""nerlite in a real Ray, with actors in processes of their own, and in a real Dask."""

import os
import sys

import pytest

ray = pytest.importorskip("ray")

import pandas as pd  # noqa: E402
import pyarrow as pa  # noqa: E402

import nerlite  # noqa: E402
from nerlite.frames import add_entities  # noqa: E402
from nerlite.integrations.ray import TagBatches  # noqa: E402

pytestmark = pytest.mark.filterwarnings("default")
TEXTS = ["My name is John and I work for Acme in Berlin.", None, "", "nothing here", "Łódź 🙂 and New York 🗽."] * 40


@pytest.fixture(scope="module")
def dataset():
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, ignore_reinit_error=True,
             object_store_memory=100_000_000)
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # which actors cannot import
    ray.data.DataContext.get_current().enable_progress_bars = False
    rows = pa.table({"id": range(len(TEXTS)), "text": pa.array(TEXTS, pa.string())})
    yield ray.data.from_arrow([rows.slice(start, 25) for start in range(0, len(TEXTS), 25)])
    ray.shutdown()


@pytest.fixture(scope="module")
def expected():
    ner = nerlite.load()
    return [None if text is None else [entity.to_dict() for entity in ner(text).entities] for text in TEXTS]


class Counting(TagBatches):
    """Says in which process it tagged, and how often one was made there."""

    made = 0

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        Counting.made += 1

    def __call__(self, batch):
        tagged = super().__call__(batch)
        where = pa.array([f"{os.getpid()}:{Counting.made}:{self._tagger.threads}"] * len(batch))
        return tagged.append_column("where", where)


def test_actors_tag_batches(dataset, expected):
    tagged = dataset.map_batches(Counting, batch_format="pyarrow", batch_size=10,
                                 compute=ray.data.ActorPoolStrategy(size=2))
    rows = sorted(tagged.take_all(), key=lambda row: row["id"])
    assert [row["entities"] for row in rows] == expected
    assert [row["text"] for row in rows] == TEXTS
    places = {tuple(row["where"].split(":")) for row in rows}
    assert len(places) == len({pid for pid, *_ in places}) <= 2
    assert {(made, threads) for _, made, threads in places} == {("1", "1")}


def test_options_and_a_column_of_nothing(dataset):
    empty = ray.data.from_arrow(pa.table({"body": pa.array(["", None, "none"], pa.string())}))
    tagged = empty.map_batches(TagBatches, batch_format="pyarrow", compute=ray.data.ActorPoolStrategy(size=1),
                               fn_constructor_kwargs={"column": "body", "into": "names", "backend": "numpy"})
    table = pa.concat_tables(ray.get(tagged.to_arrow_refs()))
    assert table["names"].to_pylist() == [[], None, []]
    assert pa.types.is_struct(table["names"].type.value_type)


def test_another_format_is_refused():
    with pytest.raises(TypeError, match="batch_format='pyarrow', got dict"):
        TagBatches()({"text": TEXTS})


def test_dask_needs_no_adapter(expected):
    dataframe = pytest.importorskip("dask.dataframe")
    frame = pd.DataFrame({"text": TEXTS})
    parts = dataframe.from_pandas(frame, npartitions=3)
    meta = {**dict.fromkeys(parts.columns, object), "entities": object}
    tagged = parts.map_partitions(add_entities, "text", nerlite.load(threads=1), meta=meta)
    for scheduler in ("threads", "processes"):
        found = tagged.compute(scheduler=scheduler)["entities"].tolist()
        assert [None if each is None or each is pd.NA or each != each else list(each) for each in found] == expected


def test_the_example_prints_what_it_says(check_example):
    check_example("in_ray.py")
