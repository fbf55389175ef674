"""All kernels that are called from Python, compiled by numba when they first are."""

from __future__ import annotations

import sys

from nerlite.ops.compiled import CompiledOps
from nerlite.ops.crf_kernels import span_log_probabilities, viterbi
from nerlite.ops.encoder_kernels import embed, encode_float, encode_int8
from nerlite.ops.head_kernels import bilstm_float, bilstm_int8, char_cnn
from nerlite.ops.jit import LEVEL
from nerlite.ops.linear_kernels import dense_float, dense_int8, pack_int8

__all__ = ["OPS", "bilstm_float", "bilstm_int8", "char_cnn", "dense_float", "dense_int8", "embed", "encode_float",
           "encode_int8", "pack_int8", "span_log_probabilities", "viterbi"]

OPS = CompiledOps("numba", LEVEL, sys.modules[__name__])
