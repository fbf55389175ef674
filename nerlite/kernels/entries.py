"""All kernels that are called from Python, compiled by numba when they first are."""

from __future__ import annotations

from functools import partial as bind

from nerlite.kernels.crf import best_spans, viterbi
from nerlite.kernels.encoder import encode_float, encode_int8
from nerlite.kernels.head import char_layers, score_float, score_int8
from nerlite.kernels.jit import LEVEL
from nerlite.kernels.linear import pack_int8

__all__ = ["LEVEL", "best_spans", "bind", "char_layers", "encode_float", "encode_int8", "pack_int8", "score_float",
           "score_int8", "viterbi"]
