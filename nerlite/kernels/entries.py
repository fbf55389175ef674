"""All kernels that are called from Python, compiled by numba when they first are."""

from __future__ import annotations

import sys
from functools import partial as bind

from nerlite.kernels.crf import best_spans, viterbi
from nerlite.kernels.encoder import encode_float, encode_int8
from nerlite.kernels.head import char_layers, score_float, score_int8
from nerlite.kernels.jit import LEVEL
from nerlite.kernels.linear import pack_int8
from nerlite.ops.compiled import CompiledOps

__all__ = ["OPS", "best_spans", "bind", "char_layers", "encode_float", "encode_int8", "pack_int8", "score_float",
           "score_int8", "viterbi"]

OPS = CompiledOps("numba", LEVEL, sys.modules[__name__])
