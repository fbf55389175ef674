"""Words → piece ids, where each word's pieces lie, and the windows that cover a long text."""

from __future__ import annotations

import itertools
import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from typing import NamedTuple

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from nerlite.batch import in_runs
from nerlite.config import BreaksConfig
from nerlite.errors import ModelError
from nerlite.files import AnyPath
from nerlite.forms import LONGEST_WORD
from nerlite.memo import AT_ONCE, Memo
from nerlite.shapes import shape
from nerlite.text import LINE, PARAGRAPH
from nerlite.wordpiece import read_tokenizer, refused

# Characters that the library cuts together: of some it takes hundreds of bytes each.
CHARACTERS_AT_ONCE = 1 << 14
# What lies before a word → how many pieces stand for it.
_LEADS = bytes(kind in (LINE, PARAGRAPH) for kind in range(256))
_SURROGATE = "[\ud800-\udfff]"
# Words of ASCII in which no added token begins, and what BERT cuts them into.
_PLAIN, _PARTS = re.compile(r"[ -Z\\-~]+"), re.compile("[A-Za-z0-9]+|[^A-Za-z0-9 ]")


class Pieces(NamedTuple):
    """The pieces of one text's words, without [CLS] and [SEP].

    ids: n_pieces; offsets: n_words + 1, word w has ids[offsets[w]:offsets[w + 1]], at least one of its own; leads:
    n_words, how many of these stand for the break before it, 0 or 1; empty where nothing asks for them.
    """

    ids: array[int]
    offsets: array[int]
    leads: bytes = b""


class Window(NamedTuple):
    """A run of words that the network, or the CRF, sees at once, and the part of it whose tags are taken from here.

    All are word indices: the window is words[start:stop], and it answers for words[keep_start:keep_stop].
    """

    start: int
    stop: int
    keep_start: int
    keep_stop: int


class PieceEncoder:
    """A WordPiece tokenizer.json applied to words that are already split."""

    def __init__(self, path: AnyPath, window: int, vocab_size: int | None = None, checksum: str | None = None,
                 breaks: BreaksConfig | None = None, *, shapes: bool = False) -> None:
        """Load the tokenizer; a word gives at most a quarter of a window's pieces (only the first is its vector).

        window: the most pieces, [CLS] and [SEP] included; vocab_size: how many pieces the encoder knows,
        `ModelError` if the tokenizer has more; checksum: the CRC-32 that the file must have, None is any; breaks: the
        pieces that stand for what lies between words; shapes: whether ids say how words are written, too: a piece of a
        word of shape s (see `nerlite.shapes`) is then s * vocab_size + its own id.
        """
        self._shift = (vocab_size or 0) if shapes else 0
        self._tokenizer = read_tokenizer(path, vocab_size, checksum)
        self._path = path
        self._budget = window - 2
        self._max_word_pieces = max(1, self._budget // 4)
        special = {name: self._tokenizer.token_to_id(name) for name in ("[CLS]", "[SEP]", "[UNK]", *(breaks or ()))}
        if missing := [name for name, index in special.items() if index is None]:
            raise ModelError(f"{path}: the vocabulary lacks {', '.join(missing)}")
        self._cut = _vocabulary_alone(self._tokenizer)
        # What the tokenizer makes of a word does not depend on the words beside it.
        self._pieces_of = Memo(self._encode, str)
        ids = {name: index or 0 for name, index in special.items()}
        self.cls_id, self.sep_id, self._unk_id = (ids[name] for name in ("[CLS]", "[SEP]", "[UNK]"))
        self.line_id = ids[breaks.line] if breaks else None
        self._breaks = {LINE: (ids[breaks.line],), PARAGRAPH: (ids[breaks.paragraph],)} if breaks else {}

    def encode(self, words: Sequence[str], breaks: bytes = b"") -> Pieces:
        """Return the words' pieces; a word that the tokenizer leaves nothing of is one [UNK].

        breaks: what lies before each word (see `nerlite.text`), for a model that has pieces for that.
        """
        ids, offsets = array("I"), array("q", [0])
        for start in range(0, len(words), AT_ONCE):
            pieces = self._pieces_of(words[start:start + AT_ONCE])
            for i, kind in enumerate(breaks[start:start + AT_ONCE] if self._breaks else ()):
                if kind >= LINE:
                    pieces[i] = self._breaks[kind] + pieces[i]
            offsets.pop()  # which comes again as the first
            offsets.extend(itertools.accumulate(map(len, pieces), initial=len(ids)))
            ids.extend(itertools.chain.from_iterable(pieces))
        return Pieces(ids, offsets, breaks.translate(_LEADS) if self._breaks else bytes(len(words)))

    def _encode(self, words: list[str]) -> list[tuple[int, ...]]:
        """Return the piece ids of each word."""
        words = [word[:LONGEST_WORD] for word in words]
        try:
            pieces = [self._cut(word) for word in words]
            others = [i for i, each in enumerate(pieces) if not each]
            for together in in_runs(others, lambda i: len(words[i]), CHARACTERS_AT_ONCE):
                # The library takes no lone surrogates.
                encoding = self._tokenizer.encode([re.sub(_SURROGATE, "\ufffd", words[i]) for i in together],
                                                  is_pretokenized=True, add_special_tokens=False)
                for owner, piece in zip(encoding.word_ids, encoding.ids, strict=True):
                    pieces[together[owner or 0]].append(piece)  # it is never None, since nothing special is added
        except BaseException as error:
            raise refused(self._path, error) from None
        pieces = [each[:self._max_word_pieces] or [self._unk_id] for each in pieces]
        if shift := self._shift:
            pieces = [[shift * shape(word) + piece for piece in each] for word, each in zip(words, pieces, strict=True)]
        return list(map(tuple, pieces))

    def windows(self, offsets: Sequence[int]) -> list[Window]:
        """Cover a text's words with windows that fit the encoder, each word kept where its context is widest.

        offsets: as in `Pieces`. Consecutive windows share a quarter of a window; the seam lies in the middle of what
        they share.
        """
        n_words = len(offsets) - 1
        if offsets[-1] <= self._budget:
            return [Window(0, n_words, 0, n_words)] if n_words else []
        spans: list[tuple[int, int]] = []
        start = stop = 0
        while stop < n_words:
            stop = bisect_right(offsets, offsets[start] + self._budget) - 1
            spans.append((start, stop))
            start = max(start + 1, bisect_left(offsets, offsets[stop] - self._budget // 4))
        seams = [0]
        for (_, stop), (start, _) in itertools.pairwise(spans):
            seams.append(bisect_left(offsets, (offsets[start] + offsets[stop]) / 2))
        seams.append(n_words)
        return [Window(*span, *keep) for span, keep in zip(spans, itertools.pairwise(seams), strict=True)]


def _vocabulary_alone(tokenizer: Tokenizer) -> Callable[[str], list[int]]:
    """Return a function from a word to its pieces, none where it takes the whole tokenizer.

    BERT's lowers the case of ASCII letters and lets each character that is neither letter nor digit stand alone; the
    vocabulary does the rest. All else that `encode` does takes seven times as long.
    """
    model, normalizer = tokenizer.model, tokenizer.normalizer
    added = tokenizer.get_added_tokens_decoder().values()
    if not (isinstance(model, models.WordPiece) and isinstance(normalizer, normalizers.BertNormalizer)
            and isinstance(tokenizer.pre_tokenizer, pre_tokenizers.BertPreTokenizer)
            and all("[" in token.content for token in added)):
        return lambda word: []
    lower, longest = str.lower if normalizer.lowercase else str, model.max_input_chars_per_word

    def cut(word: str) -> list[int]:
        lowered = lower(word)
        # Where it is a piece, as most are: four times as fast.
        whole = model.token_to_id(lowered) if word.isascii() and word.isalnum() and len(word) <= longest else None
        if whole is not None:
            return [whole]
        parts = _PARTS.findall(lowered) if _PLAIN.fullmatch(word) else ()
        return [token.id for part in parts for token in model.tokenize(part)]

    return cut
