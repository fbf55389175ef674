"""All kernels that are called from Python, compiled by numba when they first are."""

from __future__ import annotations

import sys
from functools import partial as bind

from nerlite.ops.compiled import CompiledOps
from nerlite.ops.crf_kernels import best_spans, viterbi
from nerlite.ops.encoder_kernels import encode_float, encode_int8
from nerlite.ops.head_kernels import char_layers, score_float, score_int8
from nerlite.ops.jit import LEVEL
from nerlite.ops.linear_kernels import pack_int8

__all__ = ["OPS", "best_spans", "bind", "char_layers", "encode_float", "encode_int8", "pack_int8", "score_float",
           "score_int8", "viterbi"]

OPS = CompiledOps("numba", LEVEL, sys.modules[__name__])
