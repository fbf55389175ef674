"""What every kernel takes, declared once; a kernel is a function of one of the records in `KERNELS`.

Where a type depends on whether a network is int8 or float32, it is declared as words of 32 bits, and read as what it
is.
Lengths that are whole panels or vectors are padded with zeros. rows, tile_rows, columns, width: those of the level,
see `nerlite.ops.levels.Level`; a panel has `columns` columns of a weight, or `width` keys or numbers of a head.
"""

from __future__ import annotations

from nerlite.ops.records import Record, array, number, part, parts

F4, I8 = "float32", "int64"


class Linear(Record, kept=True):
    """The weights of a linear layer, cut into panels of columns."""

    panels = array("int32", "n_panels", "depth", "columns")  # a float32 of each row, or of four rows an int8 each
    constants = array(F4, "n_panels", "n_constants", "columns")  # sums of columns, scales, biases; as int32, stretches
    is_int8 = number(int)


class Quantized(Record, kept=True):
    """Rows as whole numbers 0..127 that a product of int8 weights takes; see `numpy_ops.quantize_rows`.

    On some levels the numbers of a tile's rows lie in turn, see `Level.tile_in_turn`, in the memory of these rows.
    """

    numbers = array("uint8", "n", "depth")
    scales = array(F4, "n", 2)  # a row's scale and lowest number


class Norm(Record, kept=True):
    """A layer normalization."""

    weight = array(F4, "d")
    bias = array(F4, "d")


class EncoderLayer(Record, kept=True):
    """The weights of a layer of a transformer."""

    qkv = part(Linear)  # queries, keys and values of each head: (d, 3 * n_heads * size)
    attention_out = part(Linear)  # (n_heads * size, d)
    attention_norm = part(Norm)
    ffn_in = part(Linear)  # (d, d_inner)
    ffn_out = part(Linear)  # (d_inner, d)
    ffn_norm = part(Norm)


class EncoderWeights(Record, kept=True):
    """The weights of a transformer; int8 tables of embeddings, none where rows are embedded already."""

    words = array("int8", "vocab_size", "d")
    word_scale = array(F4, "vocab_size")
    places = array("int8", "max_positions", "d")
    place_scale = array(F4, "max_positions")
    shapes = array(F4, "n_shapes", "d")
    norm = part(Norm)  # of the embeddings
    zeros = array(F4, "d_padded")  # what is added to embeddings, which have no residual
    layers = parts(EncoderLayer)
    is_int8 = number(int)
    d = number(int)
    size = number(int)  # of a head, a multiple of the level's
    n_heads = number(int)
    factor = number(float)  # of queries
    eps = number(float)
    bell = array(I8, 1)  # how often a call has begun, see `atomics.ring`


class Tiles(Record, kept=True):
    """What each thread of an encoder has of its own: for a head's keys and values laid out, and a tile's sums."""

    total = array(F4, "tile_rows", "columns")  # the sums of a tile, int32 or float32, as the next
    narrow_total = array(F4, "rows", "width")
    columns = array("int32", "n_panels", "words", "width")  # keys: a float32, or whole numbers, a level's parts of them
    key_scales = array(F4, "n_keys")  # n_keys = n_panels * width at least, which the longest sequence fits
    groups = array("int32", "n_value_panels", "n_groups", "width")  # values, whole numbers of as many rows side by side
    value_scales = array(F4, "n_keys")
    totals = array(F4, "rows", "n_keys")  # products of queries and keys, int32 or float32
    scores = array(F4, "rows", "n_keys")
    weights = array("int32", "rows", "n_groups")  # whole numbers
    factors = array(F4, "rows")


class Chunk(Record, kept=True):
    """The rows that pass through a phase of an encoder together; threads that share out its steps share it."""

    quantized = part(Quantized)  # (n, the longest row)
    qkv = array(F4, "n", "d_qkv")
    mixed = array(F4, "n", "d_mixed")  # what attention gives: n_heads * size, and zeros
    hidden = array(F4, "n", "d")
    inner = array(F4, "n", "d_inner")


class Heads(Record, kept=True):
    """What is kept of each row for attention: float32, or int16 or int8, and the scale of each head's numbers.

    A row's lie together, so that threads that write neighbouring rows don't wait for each other's lines.
    """

    queries = array("int32", "n", "n_heads", "words")  # in the last layer of the rows asked for, one after another
    query_scales = array(F4, "n", "n_heads")
    query_sums = array("int32", "n", "n_heads")  # of whole numbers, times what is added to those of keys
    keys = array("int32", "n", "n_heads", "words")
    key_scales = array(F4, "n", "n_heads")
    values = array("int32", "n", "n_heads", "words")
    value_scales = array(F4, "n", "n_heads")


class Room(Record, kept=True):
    """What an encoder's phases hand on, of all rows of a call at least."""

    everything = array(I8, "n")  # 0, 1, 2, …
    heads = parts(Heads)  # two: one layer's are read while the next one's are written
    x = array(F4, "n", "d")  # first embeddings that are not normalized, or with tables what becomes them
    out = array(F4, "n", "d")  # of the rows asked for


class Batch(Record):
    """What an encoder is called with."""

    ids = array(I8, "n_rows")  # shape * vocab_size + piece
    positions = array(I8, "n_rows")
    offsets = array(I8, "n_offsets")
    rows = array(I8, "n_asked")  # those asked for, of which alone the last layer has queries
    row_offsets = array(I8, "n_offsets")
    counters = array(I8, "n_counters", 2)  # zeros: of each phase's steps, of the head's, one for the bell
    chunk = number(int)  # rows that a thread takes at once
    last_chunk = number(int)  # of those asked for, in the last layer; at most as many
    n_shares = number(int)  # 1, or where one chunk has all rows, how many shares threads make of each step
    head_shares = number(int)  # threads that share out the head
    lingers = number(int)  # whether those that have helped wait for the next call a while


class Direction(Record, kept=True):
    """The weights of an LSTM in one direction, its gates i, f, g, o."""

    w_hh = part(Linear)
    peepholes = array(F4, 3, "hidden")


class BiLSTM(Record, kept=True):
    """The weights of an LSTM in both directions."""

    w_ih = part(Linear)  # of both, side by side
    directions = parts(Direction)


class DirectionWork(Record, kept=True):
    """What an LSTM in one direction works on, of up to `rows` sequences at once."""

    h = array(F4, "rows", "hidden")
    cell = array(F4, "rows", "hidden")
    quantized = part(Quantized)  # (rows, hidden)
    z = array(F4, "rows", "d_gates")  # what the states give the gates: 4 * hidden, in whole panels
    total = array(F4, "tile_rows", "columns")  # a tile's sums


class HeadWeights(Record, kept=True):
    """The weights of a head."""

    dense = part(Linear)  # no panels where there is no such layer
    layers = parts(BiLSTM)
    emission = part(Linear)  # always of float32; no panels where hidden states are asked for
    residual = number(int)  # whether a layer's input is added to its output
    x_width = number(int)  # numbers of a row that the first layer takes
    y_width = number(int)  # and each LSTM layer


class HeadWork(Record, kept=True):
    """What a head works on, of n words at least."""

    x = array(F4, "n", "x_width")  # a word's characters and its vector; zeros behind
    quantized = part(Quantized)  # (n, the longest row)
    y = array(F4, "n", "y_width")  # what each layer gives; x itself where there is no dense layer
    gates = array(F4, "n", "d_gates")
    states = array(F4, "n", "d_states")
    directions = parts(DirectionWork)


class Words(Record):
    """What a head is called with, and gives."""

    characters = array(F4, "n", "n_features")
    offsets = array(I8, "n_offsets")
    by_length = array(I8, "n_seqs")  # sequences, the longest first
    emissions = array(F4, "n", "d_out")


class Encode(Record):
    """All layers of an encoder, and what makes a word's scores of its last hidden state.

    Threads that make the same call together pass the same records but for `tiles`, and for `chunk` where each takes
    rows of its own.
    """

    weights = part(EncoderWeights)
    tiles = part(Tiles)
    chunk = part(Chunk)
    room = part(Room)
    batch = part(Batch)
    head = part(HeadWeights)
    work = part(HeadWork)
    words = part(Words)
    index = number(int)  # this thread's, 0 for the one that others help


class Score(Record):
    """A head alone."""

    head = part(HeadWeights)
    work = part(HeadWork)
    words = part(Words)
    vectors = array(F4, "n", "d_vector")
    d = number(int)  # numbers of a vector, without padding
    everything = array(I8, "n")
    counters = array(I8, "n_counters", 2)


class CharWeights(Record, kept=True):
    """A convolution of characters and a BiLSTM; see `nerlite.ops.parameters.CharParameters`."""

    taps = array(F4, 3, "n_ids", "n_filters")
    bias = array(F4, "n_filters")
    gates = array(F4, "n_gates", "d_gates")  # of a character: 2 * 4 * hidden, in whole vectors
    directions = parts(Direction)
    hard_sigmoid = number(int)


class CharFeatures(Record):
    """What makes features of words."""

    weights = part(CharWeights)
    work = part(DirectionWork)
    ids = array(I8, "n_chars")
    offsets = array(I8, "n_offsets")
    padding = array(I8, "n")
    by_length = array(I8, "n")
    states = array(F4, "n", "d_states")
    out = array(F4, "n", "n_features")  # zeros


class PackInt8(Record):
    """What makes panels of an int8 weight."""

    weight = array("int8", "d_in", "d_out")  # d_in: four times depth; d_out: n_panels * columns
    panels = array("int32", "n_panels", "depth", "columns")
    sums = array("int32", "n_panels", "columns")
    stretches = array("int32", "n_panels", "n_stretches")  # of levels that have such; see `linear.sort_stretches`


class CrfWork(Record, kept=True):
    """What a CRF works on, of n rows at least."""

    came_from = array("int16", "n", "n_tags")
    state = array("float64", "n_tags")
    following = array("float64", "n_tags")
    ways = array("float64", "n_tags")
    scaled = array("float64", "n_tags")
    forward = array("float64", "n_tags", "n_tags")  # exp(transitions)
    backward = array("float64", "n_tags", "n_tags")
    ahead = array("float64", "n", "n_tags")  # the backward scores of the rows behind spans
    n_spans = array(I8, 1)


class Viterbi(Record):
    """A CRF, and what it decodes."""

    emissions = array(F4, "n", "n_tags")
    offsets = array(I8, "n_offsets")
    start = array(F4, "n_tags")
    transitions = array(F4, "n_tags", "n_tags")
    end = array(F4, "n_tags")
    path = array(I8, "n")  # the best tags
    work = part(CrfWork)


class BestSpans(Record):
    """The spans of the best tags; as many as work.n_spans says."""

    crf = part(Viterbi)
    labels = array(I8, "n_tags")
    boundaries = array("bool", "n_tags", "n_tags")
    outside = number(int)
    spans = array(I8, "n", 4)
    log_probabilities = array("float64", "n")


# Each kernel and the record that it takes.
KERNELS: dict[str, type[Record]] = {
    "encode": Encode, "score": Score, "char_layers": CharFeatures, "pack_int8": PackInt8, "viterbi": Viterbi,
    "best_spans": BestSpans,
}
# Counters of what threads have done of a phase of an encoder: one, and one for each of its steps; those of a head but
# for its layers, and of each of these.
STEPS, HEAD_STEPS, LAYER_STEPS = 12, 3, 2
