"""What a model directory's config.json holds, parsed strictly.

Named tuples, since every start defines them, and a frozen dataclass takes eight times as long to define.
"""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from nerlite.errors import ModelError
from nerlite.files import AnyPath, read_file

FORMAT_VERSION = 1
# Bytes of a config.json: a hundred times what the largest has.
MOST_BYTES = 1 << 20
# So many products of attention's whole numbers add up exactly in an int32.
MAX_INT8_LENGTH = 2048
_MAY_BE_ZERO = {"num_hidden_layers", "num_layers", "lstm_hidden_size"}
_MAY_BE_NEGATIVE = {"shift"}
# A CRF has a number for each pair of tags.
MOST_TAGS = 1000
# More than any model has; what is built of so many still fits memory.
_MOST, _MOST_LAYERS = 1 << 24, 1000


class EncoderConfig(NamedTuple):
    """DistilBERT or BERT, in Hugging Face's key names."""

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    max_position_embeddings: int
    layer_norm_eps: float = 1e-12


class CharCNNConfig(NamedTuple):
    """Character convolution of width 3, ReLU, maximum over positions.

    pool: "word" takes the maximum over the word's own characters; "longest" pads each word to the
    longest of its sequence and lets the padding take part, as Spark NLP does.
    """

    embedding_size: int
    num_filters: int
    pool: Literal["word", "longest"] = "word"


class CharLSTMConfig(NamedTuple):
    """Character BiLSTM; a word's feature is the two final states."""

    embedding_size: int
    hidden_size: int
    gate_activation: Literal["sigmoid", "hard_sigmoid"] = "sigmoid"


class CharsConfig(NamedTuple):
    """Character features.

    alphabet: one character an entry; its id is its position + 1, and 0 is any other character.
    unit: what counts as a character of a word.
    """

    alphabet: tuple[str, ...]
    unit: Literal["code_point", "utf16"] = "code_point"
    cnn: CharCNNConfig | None = None
    lstm: CharLSTMConfig | None = None

    @property
    def feature_size(self) -> int:
        """Width of a word's character features: CNN filters, then forward and backward LSTM states."""
        return (self.cnn.num_filters if self.cnn else 0) + (2 * self.lstm.hidden_size if self.lstm else 0)


class ContextConfig(NamedTuple):
    """Dense + ReLU over [char features, word vector], then stacked BiLSTM layers.

    cell: "lstm" is PyTorch's; "peephole" adds the cell state to its gates (TensorFlow's block cell).
    residual: each layer's input is added to its output, so dense_size must be 2 * lstm_hidden_size.
    """

    dense_size: int
    num_layers: int
    lstm_hidden_size: int = 0
    residual: bool = True
    cell: Literal["lstm", "peephole"] = "lstm"


class BreaksConfig(NamedTuple):
    """The pieces that stand for what lies between words, before the word that follows (see `nerlite.text`).

    line: for a line break; paragraph: for the end of a sentence, where that is known, of a paragraph or of a cell,
    which no entity of such a model crosses. Entities of such a model begin and end with words that have a letter or
    digit (see `nerlite.limits`).
    """

    line: str
    paragraph: str


class CalibrationConfig(NamedTuple):
    """What makes an entity's probability under the CRF the share of such entities that are right.

    A probability p becomes sigmoid(slope * logit(p) + shift). Source: Platt 1999.
    """

    slope: float
    shift: float


class SparkNLPConfig(NamedTuple):
    """The settings of a Spark NLP pipeline whose rules the model follows (see `nerlite.sparknlp`)."""

    version: Literal["3.2", "3.4"] = "3.2"
    case_sensitive: bool = True
    max_sentence_length: int = 128
    include_confidence: bool = False
    include_all_confidence_scores: bool = False
    white_list: tuple[str, ...] | None = None


class ChecksumsConfig(NamedTuple):
    """Which files belong beside config.json: eight hexadecimal digits of each.

    weights: as `nerlite.weights.FileTensors.checksum` has them; tokenizer: CRC-32. nerlite's tools write them; a
    directory without them is not checked.
    """

    weights: str
    tokenizer: str


class Config(NamedTuple):
    """A whole model.

    tags: the emission columns' tags in order; empty for an encoder without a tagging head.
    decoder: "crf" has learned transitions; "viterbi" only forbids ill-formed tag sequences; "argmax"
    takes each word's best tag.
    crf_boundaries: whether the CRF has start and end transitions.
    window: the most pieces, [CLS] and [SEP] included, that one pass of the encoder sees.
    dtype: how model.safetensors stores the encoder's matrices (`nerlite.weights` says what follows).
    breaks: None for a model that sees only words.
    shapes: whether the encoder sees how words are written (see `nerlite.shapes`), which an uncased vocabulary hides.
    agreement: whether the words of a document agree, and the cells of a column (see `nerlite.agreement` and
    `nerlite.columns`).
    calibration: None for scores that are the CRF's probabilities.
    """

    name: str
    encoder: EncoderConfig
    tags: tuple[str, ...]
    scheme: Literal["IOB1", "IOB2", "BIOES"] = "IOB2"
    decoder: Literal["crf", "viterbi", "argmax"] = "crf"
    crf_boundaries: bool = True
    chars: CharsConfig | None = None
    context: ContextConfig | None = None
    window: int = 512
    dtype: Literal["float32", "float16", "int8"] = "float32"
    sparknlp: SparkNLPConfig | None = None
    checksums: ChecksumsConfig | None = None
    breaks: BreaksConfig | None = None
    shapes: bool = False
    agreement: bool = False
    calibration: CalibrationConfig | None = None
    format_version: int = FORMAT_VERSION

    @property
    def features_size(self) -> int:
        """Width of what the context network (or, without one, the emission layer) reads."""
        return self.encoder.hidden_size + (self.chars.feature_size if self.chars else 0)

    @property
    def emission_input_size(self) -> int:
        """Width of what the emission layer reads."""
        if self.context is None:
            return self.features_size
        return 2 * self.context.lstm_hidden_size if self.context.num_layers else self.context.dense_size


def read_config(path: AnyPath) -> Config:
    """Read config.json; `ModelError` lists every unknown, missing, mistyped or contradictory key."""
    content = read_file(path, MOST_BYTES)
    try:
        data = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path}: not readable as JSON: {error}") from None
    if isinstance(data, dict) and data.get("format_version") != FORMAT_VERSION:
        raise ModelError(f"{path}: format_version: expected {FORMAT_VERSION}, got {data.get('format_version')!r}")
    problems: list[str] = []
    config = _parse(Config, data, "", problems)
    if problems:
        raise ModelError(f"{path}: " + "; ".join(problems))
    check_config(config, path)
    return config


def check_config(config: Config, path: AnyPath) -> None:
    """Raise `ModelError` for a configuration that contradicts itself."""
    if problems := list(_contradictions(config)):
        raise ModelError(f"{path}: " + "; ".join(problems))


def to_dict(section: Any) -> dict[str, Any]:
    """Return a config, or a part of it, as nested dicts."""
    return {name: to_dict(value) if hasattr(value, "_fields") else value for name, value in section._asdict().items()}


def write_config(config: Config, path: AnyPath) -> None:
    """Write config.json, keys in the order above; refuse a contradictory configuration."""
    check_config(config, path)
    with open(path, "w", encoding="utf-8") as file:
        file.write(json.dumps(to_dict(config), indent=1) + "\n")


def _contradictions(config: Config) -> Iterator[str]:
    """Say what the types allow and no model can be."""
    yield from out_of_range(to_dict(config))
    yield from _tag_problems(config)
    encoder, context, chars, sparknlp = config.encoder, config.context, config.chars, config.sparknlp
    if encoder.num_attention_heads > 0 and encoder.hidden_size % encoder.num_attention_heads:
        yield (f"encoder.hidden_size: expected a multiple of num_attention_heads ({encoder.num_attention_heads}), "
               f"got {encoder.hidden_size}")
    lengths = {"window": config.window} | ({"sparknlp.max_sentence_length": sparknlp.max_sentence_length}
                                           if sparknlp else {})
    for key, length in lengths.items():
        if not 3 <= length <= encoder.max_position_embeddings:
            yield f"{key}: expected 3 to max_position_embeddings ({encoder.max_position_embeddings}), got {length}"
        elif config.dtype == "int8" and length > MAX_INT8_LENGTH:
            yield f"{key}: expected at most {MAX_INT8_LENGTH} in an int8 model, got {length}"
    if config.breaks and config.scheme != "BIOES":
        yield f"breaks: expected scheme BIOES, whose tags say where an entity ends, got {config.scheme}"
    if sparknlp and (config.breaks or config.shapes or config.agreement or config.calibration):
        yield ("sparknlp: expected neither breaks nor shapes nor agreement nor calibration, which Spark NLP's rules do "
               "not know")
    if chars and not (chars.cnn or chars.lstm):
        yield "chars: expected cnn, lstm or both"
    if chars and any(len(character) != 1 for character in chars.alphabet):
        yield "chars.alphabet: expected one character an entry"
    if chars and not sparknlp and len(set(chars.alphabet)) != len(chars.alphabet):
        yield "chars.alphabet: expected each character once"
    if context and context.num_layers and context.lstm_hidden_size <= 0:
        yield f"context.lstm_hidden_size: expected more than 0, got {context.lstm_hidden_size}"
    if context and context.num_layers and context.residual and context.dense_size != 2 * context.lstm_hidden_size:
        yield (f"context.dense_size: expected 2 * lstm_hidden_size ({2 * context.lstm_hidden_size}) for residual "
               f"layers, got {context.dense_size}")


def out_of_range(section: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """Name the numbers that are not above zero (or, for those that may be zero, below it), or beyond any model's."""
    for name, value in section.items():
        most = _MOST_LAYERS if name.endswith("_layers") else _MOST
        if isinstance(value, dict):
            yield from out_of_range(value, f"{prefix}{name}.")
        elif name in _MAY_BE_NEGATIVE:
            if not -most <= value <= most:
                yield f"{prefix}{name}: expected a number of at most {most} in size, got {value!r:.80}"
        elif type(value) in (int, float) and not (value > 0 or (value == 0 and name in _MAY_BE_ZERO)):
            yield f"{prefix}{name}: expected {'0 or more' if name in _MAY_BE_ZERO else 'more than 0'}, got {value}"
        elif type(value) in (int, float) and value > most:
            yield f"{prefix}{name}: expected at most {most}, got {value!r:.80}"


def _tag_problems(config: Config) -> Iterator[str]:
    prefixes = tuple("BIES" if config.scheme == "BIOES" else "BI")
    if len(config.tags) > MOST_TAGS:
        yield f"tags: expected at most {MOST_TAGS}, got {len(config.tags)}"
    if len(set(config.tags)) != len(config.tags):
        yield "tags: expected each tag once"
    if config.tags and "O" not in config.tags:
        yield "tags: expected O among them"
    wrong = [tag for tag in config.tags if tag != "O" and not (tag[0:1] in prefixes and tag[1:2] == "-" and tag[2:])]
    if wrong and not config.sparknlp:  # Spark NLP takes any tags, and has columns to spare
        yield (f"tags: expected O or one of {', '.join(f'{prefix}-LABEL' for prefix in prefixes)} ({config.scheme}), "
               f"got {', '.join(map(repr, wrong))}")


def _parse(expected: Any, value: Any, key: str, problems: list[str]) -> Any:
    """Check value against a type of the fields above; add to problems what does not fit."""
    origin, options = typing.get_origin(expected), typing.get_args(expected)
    if origin is types.UnionType:
        return None if value is None else _parse(options[0], value, key, problems)
    if hasattr(expected, "_fields"):
        return _parse_object(expected, value, key, problems)
    if origin is Literal:
        fits, wanted = value in options, f"one of {', '.join(map(str, options))}"
    elif origin is tuple:
        fits, wanted = isinstance(value, list) and all(isinstance(item, str) for item in value), "a list of strings"
        value = tuple(value) if fits else value
    elif expected is float:
        fits, wanted = isinstance(value, (int, float)) and not isinstance(value, bool), "a number"
    else:
        fits, wanted = type(value) is expected, {int: "an integer", str: "a string", bool: "true or false"}[expected]
    if not fits:
        problems.append(f"{key}: expected {wanted}, got {value!r:.80}")
    return value


def _parse_object(expected: Any, value: Any, key: str, problems: list[str]) -> Any:
    if not isinstance(value, dict):
        problems.append(f"{key or 'the file'}: expected an object, got {value!r:.80}")
        return None
    hints = typing.get_type_hints(expected)
    prefix = f"{key}." if key else ""
    problems.extend(f"{prefix}{name}: unknown key" for name in value if name not in hints)
    before, arguments = len(problems), {}
    for name, hint in hints.items():
        if name in value:
            arguments[name] = _parse(hint, value[name], prefix + name, problems)
        elif name not in expected._field_defaults:
            problems.append(f"{prefix}{name}: missing")
    return expected(**arguments) if len(problems) == before else None
