"""What the network reads of a word: without what nobody sees, its references decoded, nothing where it is rubbish."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from typing import overload

from nerlite.characters import LETTERS_OF_NOTES, LIKE_APOSTROPHE, OTHER_SCRIPTS, decode, readable

# Characters of a word that the network sees: more than make a quarter of a window's pieces, of a hundred each.
LONGEST_WORD = 1 << 14
# Second halves of words that keep their hyphen at a line's end, as those in upper case do: all others are the rest of a
# word, since of hyphens at lines' ends most part syllables, and names hyphenated otherwise have a capital after them.
_SECOND = (r"(?:based|led|born|backed|owned|held|run|made|style|bound|speaking|controlled|sponsored|listed|trained|"
           r"educated|occupied|brokered|mediated|registered|area|era|wide|like|old|year|term|time|known|general|elect|"
           r"designate|in|to|of|the|and|up|off|out)\b")
_HYPHEN = rf"(?<=[A-Z]{{2}})[-‐]\s++(?=[A-Z]{{2}})|[-‐]\s++(?![A-Z]|{_SECOND})|[\u00ad¬=]\s+"
# Controls that are written out, TeX's commands, words in base64 as mail has them.
_COMMAND_BEGINS = frozenset("\\#^␛[=")
_COMMAND = r"\\+[nrtN]|\\f[BIPR]|\\[a-z]+\d*\*?(?:\{[^{}\s]+\})?|\S{0,5}\[[\d;]*[mK]|=\?[\w-]+\?[bB]\?\S*\?="
_LIKE_APOSTROPHE = frozenset("'ʼ" + LIKE_APOSTROPHE)
# A string's beginning as Python prints it.
_STRING_BEGINS = r"[bfru]{1,2}['\"]"
_COPYRIGHT = {"(c)": "©", "(C)": "©", "(tm)": "™", "(TM)": "™"}
# Turns that letters and digits take in what is encoded, and seldom in words.
_TURN = r"[a-z](?=[A-Z])|[A-Za-z](?=\d)|\d(?=[A-Za-z])"
_ADDRESS = r"[A-Za-z]{2,12}:|[A-Za-z][A-Za-z\d]{1,11}:/|www\.|[^@]{1,64}@"
# Addresses, files of pictures, documents and programs, identifiers, keys of BibTeX, paths: of 4,000 of the first in
# annotated texts all but 7 are no names.
_PLACE = (r"(?:(?i:[a-z][a-z\d]{1,11}:/|www\.)|[^@]{1,64}@[^@]+\.|(?:[a-z0-9-]+\.){1,4}[a-z]{2,4}/).*|"
          r".+\.(?:jpe?g|png|gif|svg|bmp|tiff?|webp|ico|pdf|docx?|xlsx?|pptx?|csv|tsv|txt|zip|gz|mp[34]|wav|avi|mov|exe|"
          r"dll|s?html?|[ch]|cc|[ch]pp|pyc?|java|rb|rs|pl|sh|bat|conf|cfg|ini|toml|xml|jsonl?|ya?ml|log|md|rst|sql|css|tex|"
          r"ipynb)|_?[a-z][a-z0-9]*(?:_+[a-z0-9]+)+|@\w+\{.+|(?:[A-Za-z]:\\|\\\\|[~.]{0,2}/).+")
_PLACE_HAS = frozenset("._/\\{")
# Hashes, UUIDs, keys, sequences of bases, and what is longer than any word.
_NOISE = (r"(?:0x)?(?=\d*[a-fA-F])[0-9a-fA-F]{16,}|[A-Z\d]{31,}|(?=[A-Z]+\d+[A-Z])[A-Z\d]{20,}|"
          r"(?=(?:[A-Z-]*\d){2})[A-Z\d-]{24,}|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|\S{65,}|"
          r"[0-9a-fA-F]{2,4}(?:[ :]{1,2}[0-9a-fA-F]{2,4}){5,}")
# Bytes in base 85, where marks, digits and letters of both cases follow one another without a word among them, and
# lines of uuencode, which have no small letters.
PRINTED_BYTES = r"""(?=[!-~]{40})(?:(?![!-~]{0,35}(?:[A-Za-z][a-z]{3}|\\[uUx][0-9A-Fa-f]|&\#))
      (?=(?>[!-~]{0,20}?[!-/:-@\[-`{-~][A-Za-z0-9]){5})(?=(?>[!-~]{0,25}?[a-z][^a-z\s]){4})
      (?=(?>[!-~]{0,20}?[A-Z]){4})(?=(?>[!-~]{0,30}?\d){2}) | (?=M[!-`]{60}(?!\S)))[!-~]++"""


def form(word: str) -> str:
    """Return what the network reads of a word; of most that is the word.

    References are decoded, what nobody sees is left out, characters for compatibility (full width, ligatures) become
    those that they stand for, hyphenation ends. Nothing remains of what is no word: bytes in base64, hashes, control
    characters written out.
    """
    if word.isascii() and ((word.isalpha() and len(word) < 16) or len(word) == 1):
        return word
    word = word[:LONGEST_WORD]  # of more, what is made on the way would take many times the text's memory
    while (read := _read(word)) != word:
        word = read
    return word


def can_bound(form: str) -> bool:
    """Whether an entity may begin or end with a word read so: a letter or a digit that is no symbol, no identifier."""
    if form.isascii() and (len(form) == 1 or form.isalnum()):
        return form.isalnum() and not _is_key(form)
    if (not _PLACE_HAS.isdisjoint(form) and re.fullmatch(_PLACE, form)) or form.endswith(("\u20e3", "\ufe0f")):
        return False
    return not _is_key(form) and any(char.isdecimal() or (char.isalpha() and char not in LETTERS_OF_NOTES)
                                     for char in form)


def _is_key(form: str) -> bool:
    """Whether a word read so is a number or an identifier in which letters and digits take turns."""
    return 9 < len(form) < 16 and not form.isalpha() and len(re.findall(_TURN, form)) > 5


def is_of_other_script(form: str) -> bool:
    """Whether a word read so is of a script that goes on in no letters: Han, kana, Hangul, Thai, Hebrew, Arabic."""
    return not form.isascii() and re.match(f"[{OTHER_SCRIPTS}]", form) is not None


def _read(word: str) -> str:
    """Return a word read once: what comes out may be a reference again."""
    if "\n" in word:
        word = "".join(re.sub(_HYPHEN, "", word).split())
    if not _LIKE_APOSTROPHE.isdisjoint(word):
        word = re.sub(rf"(?:''|[{LIKE_APOSTROPHE}])(?=[A-Za-z])|ʼ", "'", word)
    if len(word) < 4 and re.fullmatch(_STRING_BEGINS, word):
        return word[-1]
    word = _COPYRIGHT.get(word, decode(word))
    if not (word.isascii() and word.isprintable()):
        word = readable(word)
    return "" if _is_noise(word) else word


def _is_noise(word: str) -> bool:
    """Whether a word is none: encoded bytes, a hash, a command, what is longer than any word."""
    if word[:1] in _COMMAND_BEGINS and re.fullmatch(_COMMAND, word):
        return True
    if len(word) < 16 or not word.isascii():
        return word.isspace()
    if re.match(PRINTED_BYTES, word, re.VERBOSE):
        return True
    if re.match(_ADDRESS, word):
        return False
    return len(re.findall(_TURN, word)) > max(3, len(word) / 6) or bool(re.fullmatch(_NOISE, word))


class Forms(Sequence[str]):
    """What the network reads of a text's words: only those that it reads as others are kept."""

    def __init__(self, words: Sequence[str], others: dict[int, str]) -> None:
        """others: of words that it reads as others, in their order, what it reads."""
        self._words, self._others, self._places = words, others, list(others)

    def __len__(self) -> int:
        return len(self._words)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        which = range(len(self))[index]
        if isinstance(which, int):
            return self._others[which] if which in self._others else self._words[which]
        if which.step != 1:
            return [self[i] for i in which]
        words = list(self._words[which.start:which.stop])
        for place in self._places[bisect_left(self._places, which.start):bisect_left(self._places, which.stop)]:
            words[place - which.start] = self._others[place]
        return words
