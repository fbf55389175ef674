"""Turn saved Spark NLP models into a nerlite model directory, without a JVM and without TensorFlow.

Command: python tools/convert_sparknlp EMBEDDINGS NER DST, or: python tools/convert_sparknlp PIPELINE DST

EMBEDDINGS is a saved DistilBertEmbeddings, NER the NerDLModel trained on it, PIPELINE a PipelineModel with both; each
is a folder or a zip as Spark NLP publishes them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # run as a folder, which is then no package

from convert_sparknlp.convert import Dtype, SparkVersion, convert
from convert_sparknlp.errors import ConversionError
from nerlite.errors import ModelError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status: 0, or 2 after a printed error."""
    parser = argparse.ArgumentParser(prog="convert_sparknlp", description=(__doc__ or "").splitlines()[0],
                                     usage="%(prog)s [options] EMBEDDINGS NER DST | PIPELINE DST")
    parser.add_argument("sources", type=Path, nargs="+", metavar="SOURCE",
                        help="saved DistilBertEmbeddings and NerDLModel, or one PipelineModel; folders or zips")
    parser.add_argument("dst", type=Path, metavar="DST", help="model directory to write; absent or empty")
    parser.add_argument("--name", help="name of the model (default: the last source's)")
    parser.add_argument("--dtype", choices=get_args(Dtype), default="float32", help="how to store the weights")
    parser.add_argument("--spark-version", choices=get_args(SparkVersion), default="3.2",
                        help="whose rules to follow: 3.2 (default), or 3.4, where a token's first piece begins where "
                             "the token does")
    options = parser.parse_args(arguments)
    if len(options.sources) > 2:
        parser.error("expected EMBEDDINGS NER DST or PIPELINE DST")
    try:
        config = convert(**vars(options))
    except (ConversionError, ModelError, OSError) as error:
        print(f"convert_sparknlp: {error}", file=sys.stderr)
        return 2
    print(f"{options.dst}: {config.name}, {config.dtype}, tags: {' '.join(config.tags)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
