"""All kernels that are called from Python, compiled by numba when they first are."""

from __future__ import annotations

import sys

from nerlite.ops.compiled import CompiledOps
from nerlite.ops.crf_kernels import forward_backward, span_log_probabilities, viterbi
from nerlite.ops.encoder_kernels import embed, encode_float, encode_int8
from nerlite.ops.head_kernels import char_cnn, dense, lstm
from nerlite.ops.jit import LEVEL

__all__ = ["OPS", "char_cnn", "dense", "embed", "encode_float", "encode_int8", "forward_backward", "lstm",
           "span_log_probabilities", "viterbi"]

OPS = CompiledOps("numba", LEVEL, sys.modules[__name__])
