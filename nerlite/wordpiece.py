"""BERT's tokenizer.json, read strictly: only the parts that a model needs are built, of known kinds and bounded sizes.

The library takes whatever its format can say: other models, regular expressions that never end, normalizers that make
a million characters of one, templates that panic. What a file says is looked at here before the library sees any of it.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers

from nerlite.errors import ModelError
from nerlite.files import AnyPath, check_checksum, read_file

# Bytes of a file: those of a vocabulary of a million pieces.
MOST_BYTES = 1 << 25
# Characters of a word that is cut into pieces, which takes time by their square; of an added token; of a prefix.
LONGEST_WORD, LONGEST_ADDED, LONGEST_PREFIX = 1000, 1000, 16
MOST_PIECES, MOST_ADDED, MOST_STEPS = 1 << 24, 10_000, 8

# The kinds of a part: what makes it, and its settings with their types. None of them makes more than 18 characters of
# one (NFKD's most), however many follow one another.
NORMALIZERS: dict[str, tuple[Callable[..., Any], dict[str, tuple[type, ...]]]] = {
    "BertNormalizer": (normalizers.BertNormalizer, {"clean_text": (bool,), "handle_chinese_chars": (bool,),
                                                    "strip_accents": (bool, type(None)), "lowercase": (bool,)}),
    "Lowercase": (normalizers.Lowercase, {}),
    "NFC": (normalizers.NFC, {}),
    "NFD": (normalizers.NFD, {}),
    "NFKC": (normalizers.NFKC, {}),
    "NFKD": (normalizers.NFKD, {}),
    "StripAccents": (normalizers.StripAccents, {}),
}
PRE_TOKENIZERS: dict[str, tuple[Callable[..., Any], dict[str, tuple[type, ...]]]] = {
    "BertPreTokenizer": (pre_tokenizers.BertPreTokenizer, {}),
    "Digits": (pre_tokenizers.Digits, {"individual_digits": (bool,)}),
    "Whitespace": (pre_tokenizers.Whitespace, {}),
    "WhitespaceSplit": (pre_tokenizers.WhitespaceSplit, {}),
}
ADDED = {"content": str, "single_word": bool, "lstrip": bool, "rstrip": bool, "normalized": bool, "special": bool}


class PieceError(ValueError):
    """What is wrong with a tokenizer.json."""


def read_tokenizer(path: AnyPath, vocab_size: int | None = None, checksum: str | None = None) -> Tokenizer:
    """Return the tokenizer of a file; `ModelError` where it is of another kind than `parse_tokenizer` takes.

    vocab_size: as there; checksum: the CRC-32 that the file must have, None is any.
    """
    data = read_file(path, MOST_BYTES)
    if checksum is not None:
        check_checksum(path, "tokenizer", checksum, f"{zlib.crc32(data):08x}")
    try:
        text = data.decode("utf-8")
    except UnicodeError as error:
        raise ModelError(f"{path}: not a readable tokenizer.json: {error}") from None
    return parse_tokenizer(text, path, vocab_size)


def parse_tokenizer(text: str, path: AnyPath, vocab_size: int | None = None) -> Tokenizer:
    """Return the tokenizer that a tokenizer.json's text describes: its normalizer, pre-tokenizer, WordPiece, tokens.

    Nothing else of it is read: words come in one at a time, and nothing is put around them, truncated or padded.
    vocab_size: how many pieces the encoder knows. `ModelError` names the path and what was expected.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path}: not a readable tokenizer.json: {error}") from None
    try:
        return _tokenizer(_object("the file", data), MOST_PIECES if vocab_size is None else vocab_size)
    except PieceError as error:
        raise ModelError(f"{path}: {error}") from None
    except BaseException as error:
        raise refused(path, error) from None


def refused(path: AnyPath, error: BaseException) -> BaseException:
    """Return what to raise for an error of the library's: a `ModelError`, but for those that are not its own.

    Where it panics, it raises what is no `Exception`.
    """
    is_panic = type(error).__module__ == "pyo3_runtime"
    if isinstance(error, MemoryError) or not (is_panic or isinstance(error, Exception)):
        return error
    return ModelError(f"{path}: not a usable tokenizer: {error}")


def _tokenizer(data: dict[str, Any], vocab_size: int) -> Tokenizer:
    tokenizer = Tokenizer(_model(_object("model", data.get("model")), vocab_size))
    for key, kinds, sequence in (("normalizer", NORMALIZERS, normalizers.Sequence),
                                 ("pre_tokenizer", PRE_TOKENIZERS, pre_tokenizers.Sequence)):
        parts = list(_parts(key, data.get(key), kinds))
        if parts:
            setattr(tokenizer, key, parts[0] if len(parts) == 1 else sequence(parts))
    added = data.get("added_tokens") or []
    if not isinstance(added, list) or len(added) > MOST_ADDED:
        raise PieceError(f"added_tokens: expected a list of at most {MOST_ADDED:,}, got {added!r:.80}")
    for i, each in enumerate(added):
        _add(tokenizer, f"added_tokens[{i}]", _object(f"added_tokens[{i}]", each), vocab_size)
    return tokenizer


def _model(model: dict[str, Any], vocab_size: int) -> models.WordPiece:
    if (kind := model.get("type", "WordPiece")) != "WordPiece":  # the oldest files do not say
        raise PieceError(f"model.type: expected WordPiece, got {kind!r:.80}")
    vocabulary = _object("model.vocab", model.get("vocab"))
    unknown, prefix = model.get("unk_token", "[UNK]"), model.get("continuing_subword_prefix", "##")
    longest = model.get("max_input_chars_per_word", 100)
    if not isinstance(unknown, str) or unknown not in vocabulary:
        raise PieceError(f"the vocabulary lacks {unknown!s:.80}")
    if not 0 <= min(vocabulary.values()) <= max(vocabulary.values()) < vocab_size:
        piece, index = max(vocabulary.items(), key=lambda item: (item[1] < 0, item[1]))
        raise PieceError(f"model.vocab: expected ids below vocab_size ({vocab_size}), got {index} for {piece!r:.80}")
    if not isinstance(prefix, str) or len(prefix) > LONGEST_PREFIX:
        raise PieceError(f"model.continuing_subword_prefix: expected at most {LONGEST_PREFIX} characters, got "
                         f"{prefix!r:.80}")
    if type(longest) is not int or not 0 < longest <= LONGEST_WORD:
        raise PieceError(f"model.max_input_chars_per_word: expected 1 to {LONGEST_WORD}, got {longest!r:.80}")
    return models.WordPiece(vocabulary, unk_token=unknown, continuing_subword_prefix=prefix,
                            max_input_chars_per_word=longest)


def _parts(key: str, part: Any, kinds: dict[str, tuple[Callable[..., Any], dict[str, tuple[type, ...]]]]
           ) -> Iterator[Any]:
    """Yield what a normalizer or pre-tokenizer does, one after another; none, one, or the members of a sequence."""
    if part is None:
        return
    steps: Any = [part]
    if _object(key, part).get("type") == "Sequence":
        steps = part.get(f"{key}s" if key == "normalizer" else "pretokenizers")
    if not isinstance(steps, list) or len(steps) > MOST_STEPS:
        raise PieceError(f"{key}: expected a sequence of at most {MOST_STEPS}, got {steps!r:.80}")
    for step in steps:
        settings = dict(_object(key, step))
        kind = settings.pop("type", None)
        if not isinstance(kind, str) or kind not in kinds:
            raise PieceError(f"{key}: expected {', '.join(kinds)} or a Sequence of them, got {kind!r:.80}")
        make, types = kinds[kind]
        for name, value in settings.items():
            if name not in types or type(value) not in types[name]:
                raise PieceError(f"{key}: {kind}: expected {', '.join(types) or 'no settings'}, got {name!r:.80}: "
                                 f"{value!r:.80}")
        yield make(**settings)


def _add(tokenizer: Tokenizer, key: str, added: dict[str, Any], vocab_size: int) -> None:
    if set(added) - {"id"} != set(ADDED) or any(type(added[name]) is not kind for name, kind in ADDED.items()):
        raise PieceError(f"{key}: expected {', '.join(ADDED)}, got {added!r:.200}")
    content, index = added["content"], added.get("id")
    if not 0 < len(content) <= LONGEST_ADDED:
        raise PieceError(f"{key}: expected 1 to {LONGEST_ADDED:,} characters, got {content!r:.80}")
    token = AddedToken(**{name: added[name] for name in ADDED})
    (tokenizer.add_special_tokens if added["special"] else tokenizer.add_tokens)([token])
    if (found := tokenizer.token_to_id(content)) != index or found is None or found >= vocab_size:
        raise PieceError(f"{key}: expected the id of {content!r:.80} ({found}), below vocab_size ({vocab_size}), got "
                         f"{index!r:.80}")


def _object(key: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise PieceError(f"{key}: expected an object, got {value!r:.80}")
    return value
