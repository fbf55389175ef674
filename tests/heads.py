"""The stages of a head, which computes all of them in one call."""

import numpy as np

from nerlite.ops.parameters import LinearParameters


def stages_of(ops, parameters, characters, vectors, offsets):
    """Yield what the dense layer gives, and each BiLSTM layer: scores of a head that ends there, in the identity."""
    for n in range(len(parameters.layers) + 1):
        width = 2 * len(parameters.layers[n - 1][0].w_hh.weight) if n else len(parameters.dense.bias)
        identity = LinearParameters(np.eye(width, dtype=np.float32), np.zeros(width, np.float32))
        head = ops.Head(parameters._replace(layers=parameters.layers[:n], emission=identity))
        yield head(characters, vectors, offsets)
