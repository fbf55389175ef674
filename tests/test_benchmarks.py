"""The benchmarks give the network what it takes."""

import sys
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parent.parent / "benchmarks"))

import kernels


def test_parts_of_the_network_are_those_of_the_reference():
    network, reference = (kernels.build(kernels.MODEL, backend) for backend in ("auto", "numpy"))
    parts = list(kernels.parts(kernels.MODEL))
    assert len(parts) == len(kernels.LENGTHS) + 4
    for part in parts:
        assert np.abs(part.work(network) - part.work(reference)).max() <= kernels.TOLERANCE, part.name
