"""What each kernel takes, for those who call its machine code without numba."""

from __future__ import annotations

import numpy as np

# Counters of what threads have done of a phase of the encoder: one, and one for each of its steps.
STEPS = 12
# An array is named by its dtype and number of dimensions (C-contiguous), a scalar by 0 dimensions.
_ENCODE = """
    words i1:2 word_scale f4:1 places i1:2 place_scale f4:1 d i8:0 zeros f4:1 embedding_norm f4:2
    qkv {panels}:{n_all} qkv_constants f4:4
    attention_out {panels}:{n_all} attention_out_constants f4:4
    ffn_in {panels}:{n_all} ffn_in_constants f4:4 ffn_out {panels}:{n_all} ffn_out_constants f4:4
    attention_norm f4:3 ffn_norm f4:3 factor f8:0 eps f8:0 bell i8:1 {head_weights}
    total {total}:2 narrow_total {total}:2 columns {columns} key_lanes f4:1 pairs i2:4 value_lanes f4:1
    totals {total}:2 scores f4:2 weights i2:2 factors f4:1
    quantized u1:2 row_scales f4:2 qkv_rows f4:2 mixed f4:2 hidden f4:2 inner f4:2
    everything i8:1 numbers {head}:5 scales f4:4 x f4:2 out f4:2 {head_work}
    chunk i8:0 last_chunk i8:0 n_shares i8:0 ids i8:1 positions i8:1 offsets i8:1 rows i8:1 row_offsets i8:1
    counters i8:2 lingers i8:0
    index i8:0 head_shares i8:0 {head_words}
"""
_HEAD_WEIGHTS = """
    dense {panels}:{n} dense_constants f4:3 w_ih {panels}:{n_all} w_ih_constants f4:4 w_hh {panels}:{n_both}
    w_hh_constants f4:5 peepholes f4:4 emission f4:3 emission_constants f4:3 residual i8:0
"""
_HEAD_WORK = """
    head_x f4:2 head_quantized u1:2 head_scales f4:2 y f4:2 gates f4:2 states f4:2 h f4:3 cell f4:3 h_quantized u1:3
    h_scales f4:3 head_total {total}:3 float_total f4:2 z f4:3
"""
_HEAD_WORDS = "characters f4:2 by_length i8:1 emissions f4:2"
# How many of a head's parameters are its weights, what it works on, and what belongs to each call's words.
HEAD_WEIGHTS, HEAD_WORK, HEAD_WORDS = (len(_text.split()) // 2 for _text in (_HEAD_WEIGHTS, _HEAD_WORK, _HEAD_WORDS))
_SCORE = """
    {head_weights} {head_work} index i8:0 n_shares i8:0 counters i8:2 step i8:0 vectors f4:2 d i8:0 everything i8:1
    offsets i8:1 {head_words}
"""
_INT8 = {"panels": "i1", "n": 4, "n_all": 5, "n_both": 6, "head": "i2", "columns": "i2:4", "total": "i4"}
_FLOAT = {"panels": "f4", "n": 3, "n_all": 4, "n_both": 5, "head": "f4", "columns": "f4:3", "total": "f4"}
_CRF = "emissions f4:2 offsets i8:1 start f4:1 transitions f4:2 end f4:1"
_TEXT = {
    "pack_int8": "weight i1:2 panels i4:3 sums i4:2 stretches i4:2",
    "char_layers": "taps f4:3 bias f4:1 gates f4:2 w_hh f4:4 constants f4:4 peepholes f4:3 hard_sigmoid i8:0 h f4:2 "
                   "cell f4:2 total f4:2 z f4:2 ids i8:1 offsets i8:1 padding i8:1 by_length i8:1 states f4:2 out f4:2",
    "viterbi": f"{_CRF} came_from i2:2 state f8:1 following f8:1 path i8:1",
    "best_spans": f"{_CRF} labels i8:1 boundaries b1:2 outside i8:0 came_from i2:2 scratch f8:2 path i8:1 spans i8:2 "
                  "n_spans i8:1 out f8:1",
}
for _name, _kinds in (("int8", _INT8), ("float", _FLOAT)):
    _head = {"head_weights": _HEAD_WEIGHTS.format(**_kinds), "head_work": _HEAD_WORK.format(**_kinds),
             "head_words": _HEAD_WORDS}
    _TEXT |= {f"encode_{_name}": _ENCODE.format(**_kinds, **_head), f"score_{_name}": _SCORE.format(**_head)}
# Kernel → (parameter, dtype, number of dimensions) of each parameter.
SIGNATURES: dict[str, list[tuple[str, np.dtype[np.generic], int]]] = {}
for _name, _text in _TEXT.items():
    _words = _text.split()
    SIGNATURES[_name] = [(_words[i], np.dtype(_words[i + 1][:2]), int(_words[i + 1][3:]))
                         for i in range(0, len(_words), 2)]
