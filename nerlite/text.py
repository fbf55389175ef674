"""Text → words with their offsets, what lies between them, and what the network reads of them."""

from __future__ import annotations

import functools
import itertools
import re
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import NamedTuple, overload

import numpy as np

from nerlite.characters import (
    APOSTROPHE,
    CONTROL,
    INVISIBLE,
    LETTER_REFERENCE,
    NOTES,
    ODD_SPACE,
    REFERENCE,
    SPACE_REFERENCE,
    classes,
    decode,
    readable,
)
from nerlite.lazy import Lazy

# What lies before a word: nothing, white space, one line break, or the end of a paragraph or of a table's cell, which
# no entity crosses. Before the first word a paragraph ends.
NONE, SPACE, LINE, PARAGRAPH = range(4)

_CLITIC = rf"{APOSTROPHE}(?:s|S|re|RE|ve|VE|ll|LL|d|D|m|M)\b(?![\\&])"
# Titles and companies are abbreviated in any case, places and months only as they are written here: "ill" is a word.
_TITLES = "adm|bros|capt|cie|co|corp|dr|gen|gov|inc|jr|lt|ltd|maj|messrs|mr|mrs|ms|prof|sen|sgt|sr|st|ste|vs"
_PLACES = ("Ala|Ariz|Ark|Assn|Aug|Ave|Calif|Col|Colo|Conn|Cos|Dec|Del|Feb|Fla|Ft|Ga|Hon|Ill|Ind|Jan|Kan|Ky|La|Mass|Md|"
           "Mich|Minn|Miss|Mo|Mt|Neb|Nev|Nov|Oct|Okla|Ont|Ore|Pa|Ph|Rep|Reps|Rev|Sens|Sept|Tenn|Tex|Va|Wash|Wis|Wyo")
# What a full stop joins to the letters before it: ends of domains and of file names. Those of the second kind are words
# too, with which a sentence may begin.
_ENDS = ("com|org|net|edu|gov|mil|int|info|biz|io|ai|eu|uk|de|fr|es|nl|ch|ca|au|jp|cn|ru|br|kr|se|dk|fi|pl|cz|hu|gr|pt|"
         "ie|nz|za|mx|ar|tv|cc|ly|gl|gg|fm|tk|co|asia|mobi|s?html?|xhtml|php|aspx?|jsp|m?js|jsx|tsx?|s?css|jsonl?|xml|"
         "xsd|ya?ml|toml|ini|cfg|conf|csv|tsv|txt|md|rst|tex|pdf|docx?|xlsx?|pptx?|odt|rtf|epub|jpe?g|png|gif|svg|bmp|"
         "tiff?|webp|ico|mp[34]|avi|mov|mkv|wav|ogg|flac|zip|gz|tar|tgz|bz2|xz|rar|7z|exe|dll|msi|dmg|iso|deb|rpm|jar|"
         "apk|py[ci]?|ipynb|java|cpp|hpp|cs|rb|rs|sh|ps1|sql|sqlite|db|log|bak|tmp|(?-i:[ch])")
_ENDS_TOO = "in|it|is|at|no|so|to|be|me|my|us|as|am|do|go|by|la|id|im|app|dev|news|blog|shop|online|site|live|lock|bat"
# Escapes for white space, and sequences for colours whose ESC is written out or lost.
_WRITTEN = (r"\\{1,3}[nrt](?![a-z]) | (?<=[\w.,!?;:)'\"])\\n"
            r" | (?:\\(?:033|x1[bB]|e|u001[bB])|\#033|\^\[|␛)\[[\d;]{0,20}[mK]"
            r" | \[\d{1,3}(?:;\d{1,3}){0,4}m(?=[A-Za-z\[]) | \[0m")
# A part of a domain.
_LABEL = "[A-Za-z0-9À-ɏ](?:[A-Za-z0-9À-ɏ-]{0,62}[A-Za-z0-9À-ɏ])?"
_BASE64 = "[A-Za-z0-9+/_-]"


class Rule(NamedTuple):
    """What a word may be.

    pattern: a verbose regular expression, in which <word> stands for a class of `characters.classes`; text and words:
    an example, and what it is split into.
    """

    name: str
    pattern: str
    text: str
    words: str


# In order of precedence. Repetitions are possessive or bounded, so that a pass is linear in the text; those of groups
# would remember each round as well, 90 bytes a character. The first two give most words as others would, twice as fast.
RULES = (
    Rule("plain word", r"""[A-Za-z]++(?:-[A-Za-z0-9]++)*+(?=[\s,;?)\]]|!(?!\w)|\Z)
          | [0-9]++(?:[.,-][0-9]++)*+(?=[\s;?)\]]|,(?!\d)|\Z)""",
         "spring, in the mid-1990s, of 1,500.5", "spring , in the mid-1990s , of 1,500.5"),
    Rule("plain mark", r"""[(),;"](?=[\w\s]) | \.(?=\s)""",
         'a ("b"), c. ', 'a ( " b " ) , c .'),
    Rule("plain word before a full stop or clitic", rf"""
            (?=[A-Za-z]{{3,}}+\.\s)(?!(?:(?i:{_TITLES})|{_PLACES})\.)[A-Za-z]++
          | [A-Za-z]{{2,}}+(?='s\s)""",
         "in Spain's capital. ", "in Spain 's capital ."),
    Rule("address", r"""(?:(?i:[a-z]{2,12}:(?:\\?/){2}|www\.)|(?:[a-z0-9-]{1,63}\.){1,3}[a-z]{2,4}(?=/[\w#?]))(?:
            <alnum>++ | [/@#%=+$] | -(?!-[A-Z]) | (?:\.(?![A-Z][a-z]*(?!\S))|[:!?*~_])++(?=[\w/@#%=+$&-]|(?<=_)\()
          | \\/ | ,(?=-?\d) | ;(?=\w{1,20}=) | &(?:amp;|(?!\#?\w{1,8};)) | (?<=[/=])<ideograph>++
          | \([\w/.,:%-]*+\))++""",
         "see https://x.org/a?b=c, (x.org/b_(c)).", "see https://x.org/a?b=c , ( x.org/b_(c) ) ."),
    Rule("mail address", rf"""[A-Za-z0-9À-ɏ][\w.+-]{{0,63}}@[A-Za-z0-9À-ɏ][\w-]{{0,63}}
            \.{_LABEL}(?:\.(?![A-Z][a-z]*(?![\w.-])){_LABEL})*+""",
         "write:me@a.org.Thanks", "write : me@a.org . Thanks"),
    Rule("handle", r"(?<![\w@])@[A-Za-z0-9][A-Za-z0-9_]{0,30}+",
         "RT @ada_l: met @Bob at 5@home", "RT @ada_l : met @Bob at 5 @ home"),
    Rule("encoded bytes", rf"""(?<!{_BASE64})(?={_BASE64}{{32}})(?=(?>{_BASE64}*?(?:[a-z][A-Z]|[A-Za-z]\d)){{5}})
            {_BASE64}++={{0,2}}""",
         "base64,VGhlIHF1aWNrIGJyb3duIGZveCBqdW1w+cyBv==", "base64 , VGhlIHF1aWNrIGJyb3duIGZveCBqdW1w+cyBv=="),
    Rule("version", r"""[vV]?\d+(?:\.\d+)++
            (?:[-+.]?(?i:alpha|beta|rc|pre|preview|dev|post|snapshot|build|final|release|a|b)[.-]?\d*)+(?!\w)""",
         "from v1.2.3-beta.1 on", "from v1.2.3-beta.1 on"),
    Rule("letters with full stops", r"""(?:[^\W\d_]\.){2,}+
            (?:-(?:\r?\n[\ \t]{0,16}(?=[a-z]))?(?:(?:[^\W\d_]\.){2,}+|[^\W_]++))*+
          | (?<![\w.])(?:[A-Z]\.[B-HJ-Z]|n\.a|[ei]\.[eg])(?![\w.])""",
         "the U.S.-led force at 5 a.m. in (U.S)", "the U.S.-led force at 5 a.m. in ( U.S )"),
    Rule("dotted name", r"(?<![\w.])[a-z][a-z0-9_-]{0,63}(?:\.[a-z][a-z0-9_-]{0,63}){2,}+(?![A-Za-z0-9])",
         "in sci.space.news", "in sci.space.news"),
    Rule("academic degree", r"(?<!\w)(?:(?i:Ph\.D)|[BM]\.Sc|[BM]\.Ed|D\.Phil|LL\.[BM])\b\.?",
         "a Ph.D. in physics", "a Ph.D. in physics"),
    Rule("abbreviation", rf"(?<!\w)(?:(?i:{_TITLES})|{_PLACES})\.(?:(?=[A-Z][a-z'’.]|\d|(?!\w))(?:-[^\W_]++)*+)",
         "Dr.Smith of Acme Corp. (Ill.-based)", "Dr. Smith of Acme Corp. ( Ill.-based )"),
    Rule("number, abbreviated", r"(?<!\w)(?i:nos?)\.(?=\s?\d)",
         "See No. 5 or No.7? No.", "See No. 5 or No. 7 ? No ."),
    Rule("initial", r"(?<!\w)[A-Z]\.(?=\s+[A-Z]|[A-Z][a-z])",
         "J. Smith and Mr.B.Obama", "J. Smith and Mr. B. Obama"),
    Rule("number of an item", r"^\d{1,3}\.(?=[^\S\n])",
         "1. Mansell\n2. Prost in 1992.", "1. Mansell 2. Prost in 1992 ."),
    Rule("currency", r"(?<!\w)[A-Z]{1,3}\$",
         "US$5.50", "US$ 5.50"),
    Rule("number from its sign on", r"(?<![\w.])[.+](?=\d)[A-Za-z\d]++(?:[.,:/-](?=\d)[A-Za-z\d]++)*+",
         "hit .500, call +44-20", "hit .500 , call +44-20"),
    Rule("letter or digit as a symbol", "[0-9#*]\ufe0f?\u20e3|[ℹⓂ]\ufe0f",
         "1️⃣Paris", "1️⃣ Paris"),
    Rule("accent on nothing", r"(?=[^\x00-\x7f])<accent>++",
         "a \u0301Paris", "a \u0301 Paris"),
    Rule("negation", rf"[A-Za-z]{{1,12}}?(?=n{APOSTROPHE}t\b) | n{APOSTROPHE}t\b",
         "They don't and can’t", "They do n't and ca n’t"),
    Rule("clitic", _CLITIC,
         "Spain's police; they'll go", "Spain 's police ; they 'll go"),
    Rule("abbreviation in capitals", r"(?<!\w)[A-Z]{1,4}(?:&(?:amp;)?[A-Z]{1,4}){1,3}(?!\w)",
         "AT&T, R&amp;D and Marks&Spencer", "AT&T , R&amp;D and Marks & Spencer"),
    Rule("word", rf"""(?:<word>++|{LETTER_REFERENCE})(?:(?:
            (?<=[a-zß-ɏ])[-‐]\r?\n[\ \t]{{0,16}}(?=[a-zß-ɏ]|[A-Z][a-z])
          | (?<=[a-z])=\r?\n(?=[a-z]) | \u00ad\r?\n[\ \t]{{0,16}} | [-‐‑_]
          | (?<=\d)[.,:/](?=\d) | (?!{_CLITIC}){APOSTROPHE} | (?<=[lL])·(?=[lL])
          | \.(?=(?:[a-z0-9-]{{1,63}}\.){{0,3}}(?:(?i:{_ENDS})|(?:{_ENDS_TOO})(?!\s+\w))(?![\w&]))
          | (?=<seam>)(?:<invisible>|[\x1b\x9b](?![\[\]()\d])|&shy;)++)?+(?:<word>++|{LETTER_REFERENCE}))*+""",
         "Wash-\nington: O’Brien-like 3.14, google.com.It", "Wash-\nington : O’Brien-like 3.14 , google.com . It"),
    Rule("ideographs", r"<ideograph>++",
         "在London的Google公司", "在 London 的 Google 公司"),
    Rule("note", rf"[{NOTES}]++",
         "Berlin² and Paris¹²", "Berlin ² and Paris ¹²"),
    Rule("control written out", _WRITTEN,
         r"Hi Mary,\nJohn \033[31mOslo", r"Hi Mary , \n John \033[31m Oslo"),
    Rule("reference", REFERENCE,
         "M&uuml;ller&nbsp;said &quot;Oslo&quot;", "M&uuml;ller said &quot; Oslo &quot;"),
    Rule("flag", "[\U0001f1e6-\U0001f1ff]{2}",
         "🇩🇪🇫🇷Paris", "🇩🇪 🇫🇷 Paris"),
    Rule("repeated mark", r"(?P<repeated>(?![(){}\[\]])<mark>)(?:(?P=repeated)(?!<accent>))++",
         "Then -- ... ?!", "Then -- ... ? !"),
    Rule("any other", "\\S<accent>*+(?:[\U0001f3fb-\U0001f3ff]|\u200d(?!<invisible>)<mark><accent>*+)*+",
         "I ❤️Paris!", "I ❤️ Paris !"),
)


@functools.cache
def _pattern(*, ascii_only: bool) -> re.Pattern[str]:
    """Return what parts words, if anything, and then what a word is; at the end of a text that is empty."""
    own = classes(ascii_only=ascii_only)
    pattern = (rf"[ ]?+(?:(?=[!-$'-<>-~])|(?:(?:\s|<invisible>)++|{CONTROL}|{SPACE_REFERENCE})*+)(?P<word>"
               + "|".join(rule.pattern for rule in RULES) + r"|\Z)")
    while (filled := re.sub(r"(?<!P)<(\w+)>", lambda match: f"(?:{own[match[1]]})", pattern)) != pattern:
        pattern = filled
    return re.compile(pattern, re.VERBOSE | re.MULTILINE)


class Words(Sequence[str]):
    """The words of a text, each cut out of it when it is asked for: a million take 8 MB instead of 200.

    bounds: where they lie, in code points: start, end, start, end and so on; breaks: of each word, what lies before it
    (`NONE`, `SPACE`, `LINE` or `PARAGRAPH`): seen in the text where it is not given.
    """

    def __init__(self, text: str, bounds: Iterable[int], breaks: bytes | None = None) -> None:
        """Keep the text and where its words are."""
        self.text, self.bounds = text, bounds if isinstance(bounds, array) else array(_typecode(text), bounds)
        if breaks is not None:
            self.breaks = breaks

    def __len__(self) -> int:
        return len(self.bounds) // 2

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        text, bounds, which = self.text, self.bounds, range(len(self))[index]
        if isinstance(which, int):
            return text[bounds[2 * which]:bounds[2 * which + 1]]
        if which.step != 1:
            return [self[i] for i in which]
        own = bounds[2 * which.start:2 * which.stop]
        return [text[start:end] for start, end in zip(own[::2], own[1::2], strict=True)]

    @property
    def offsets(self) -> list[tuple[int, int]]:
        """Where each word starts and ends, end exclusive."""
        return list(zip(self.bounds[::2], self.bounds[1::2], strict=True))

    @Lazy
    def breaks(self) -> bytes:
        """Of each word, what lies before it."""
        text, bounds = self.text, np.asarray(self.bounds)
        # As if a word began where the text ends.
        starts, ends = np.append(bounds[::2], np.uint32(len(text))), np.append(np.uint32(0), bounds[1::2])
        breaks, odd = np.minimum(starts - ends, SPACE).astype(np.uint8), starts - ends > 1
        odd[np.searchsorted(starts, _spans(_ODD_GAP, text)[1::2])] = True
        gaps = zip(ends[odd].tolist(), starts[odd].tolist(), strict=True)
        breaks[odd] = [_KINDS[text[start:end]] for start, end in gaps]
        breaks[np.searchsorted(starts, _spans(_ENDS_CELL, text)[1::2])] = PARAGRAPH
        breaks[0] = PARAGRAPH
        return breaks[:-1].tobytes()

    @Lazy
    def forms(self) -> Sequence[str]:
        """What the network reads of each word, see `form`."""
        bounds = np.asarray(self.bounds)
        spans = np.concatenate([_spans(_ODD_WORD, self.text), _spans(_ODD_PAIR, self.text)])
        firsts, stops = np.searchsorted(bounds[1::2], spans[::2], "right"), np.searchsorted(bounds[::2], spans[1::2])
        odd = set(np.flatnonzero(bounds[1::2] - bounds[::2] > _SHORT).tolist())
        odd.update(itertools.chain.from_iterable(map(range, firsts.tolist(), stops.tolist())))
        others = {i: read for i in sorted(odd) if (read := form(word := self[i])) != word}
        return Forms(self, others) if others else self


class Forms(Sequence[str]):
    """What the network reads of a text's words: only those that it reads as others are kept."""

    def __init__(self, words: Words, others: dict[int, str]) -> None:
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
        words = self._words[which.start:which.stop]
        for place in self._places[bisect_left(self._places, which.start):bisect_left(self._places, which.stop)]:
            words[place - which.start] = self._others[place]
        return words


# What a gap has that is no single space; what a word has that the network reads as another: characters, and pairs.
_ODD_GAP = rf"[{ODD_SPACE}{INVISIBLE}\x1b\x9b]"
_ODD = r"[^\t\n\f\r -$'-<>-\[\]-~À-ÿ‘’“”–—]"
_ODD_WORD, _ODD_PAIR, _SHORT = rf"{_ODD}{_ODD}*+", r"-\r?\n|''|\[[\d;]{0,20}[mK]", 15


def _spans(pattern: str, text: str) -> np.ndarray:
    """Return where a pattern is found in a text: start, end, start, end and so on."""
    return np.fromiter(itertools.chain.from_iterable(map(re.Match.span, re.finditer(pattern, text))), np.int64)


def _typecode(text: str) -> str:
    """Return the smallest of array's types that holds a place in the text."""
    return "I" if len(text) < 1 << 32 else "Q"


class _Kinds(dict[str, int]):
    """What a gap between two words is."""

    def __missing__(self, gap: str) -> int:
        kind = _kind(gap)
        if len(gap) < 16 and len(self) < 1024:
            self[gap] = kind
        return kind


# Words after which a cell or paragraph begins: borders of tables, tags that end a block, white space written out.
_ENDS_CELL = (r"[|¦│┃║‖｜<&\\](?:(?<=[^<&\\])|(?<=\\)(?:t(?![a-z])|n\\n)"
              r"|(?:(?<=<)|(?<=&)lt;)/?(?i:br|p|div|t[dhr]|li|h[1-6]|option)\b[^<>]{0,256}?(?:>|&gt;))")


def _kind(gap: str) -> int:
    """Return what a gap between two words is.

    A tab that indents a line ends nothing, nor do spaces. Two spaces are a line break: they part columns, but words of
    justified lines too.
    """
    gap = re.sub(rf"{CONTROL}|[{INVISIBLE}]", "", decode(gap), flags=re.VERBOSE)
    if not gap:
        return NONE
    lines = re.split("\r*\n|\r|[\v\x85\u2028]", gap)
    if len(lines) > 2 or re.search("[\t\f\x1c-\x1f\u2029]", lines[0]) or re.search("[\f\x1c-\x1f\u2029]", lines[-1]):
        return PARAGRAPH
    if len(lines) == 2:
        return LINE
    return PARAGRAPH if len(gap) > 2 else LINE if len(gap) == 2 else SPACE


_KINDS = _Kinds({"": NONE, " ": SPACE, "\n": LINE})


def split_words(text: str) -> Words:
    """Return the words of a text; all is in one but white space and characters that nobody sees.

    Those that lie within a word are part of it, those at its edges are not. Punctuation stands alone, except within
    numbers, abbreviations, initials, addresses and hyphenated words; clitics ('s, n't) are words of their own.
    """
    bounds = array(_typecode(text))
    for match in _pattern(ascii_only=text.isascii()).finditer(text):
        bounds.extend(match.span(1))
    while bounds and bounds[-1] == bounds[-2]:  # the end of the text
        del bounds[-2:]
    return Words(text, bounds)


def join_words(words: Sequence[str], starts: Iterable[int] = ()) -> Words:
    """Return words that are already split as those of a text: themselves, joined by single spaces.

    starts: words with which a sentence begins, and so a paragraph.
    """
    breaks = bytearray([SPACE]) * len(words)
    for start in (0, *starts):
        breaks[start:start + 1] = bytes([PARAGRAPH])[:len(words) - start]
    ends = itertools.accumulate(len(word) + 1 for word in words)
    return Words(" ".join(words), itertools.chain.from_iterable(
        (end - 1 - len(word), end - 1) for word, end in zip(words, ends, strict=True)), bytes(breaks))


# Second halves of words that keep their hyphen at a line's end, as those in upper case do: all others are the rest of a
# word, since of hyphens at lines' ends most part syllables, and names hyphenated otherwise have a capital after them.
_SECOND = (r"(?:based|led|born|backed|owned|held|run|made|style|bound|speaking|controlled|sponsored|listed|trained|"
           r"educated|occupied|brokered|mediated|registered|area|era|wide|like|old|year|term|time|known|general|elect|"
           r"designate|in|to|of|the|and|up|off|out)\b")
_HYPHEN = rf"[-‐]\s++(?![A-Z]|{_SECOND})|[\u00ad=]\s+"
# Turns that letters and digits take in what is encoded, and seldom in words.
_TURN = r"[a-z](?=[A-Z])|[A-Za-z](?=\d)|\d(?=[A-Za-z])"
_ADDRESS = r"[A-Za-z]{2,12}:|www\.|[^@]{1,64}@"
# Hashes, UUIDs, keys, sequences of bases, and what is longer than any word.
_NOISE = (r"(?:0x)?(?=[a-fA-F]*\d)(?=\d*[a-fA-F])[0-9a-fA-F]{16,}|[A-Z\d]{31,}|(?=(?:[A-Z-]*\d){2})[A-Z\d-]{24,}|"
          r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|\S{65,}")


def form(word: str) -> str:
    """Return what the network reads of a word; of most that is the word.

    References are decoded, what nobody sees is left out, characters for compatibility (full width, ligatures) become
    those that they stand for, hyphenation ends. Nothing remains of what is no word: bytes in base64, hashes, control
    characters written out.
    """
    if word.isascii() and ((word.isalpha() and len(word) < 16) or len(word) == 1):
        return word
    while (read := _read(word)) != word:
        word = read
    return word


def can_bound(form: str) -> bool:
    """Whether an entity may begin or end with a word read so: it has a letter or a digit that is no symbol."""
    if form.isascii():
        return form.isalnum() or (len(form) > 1 and re.search("[A-Za-z0-9]", form) is not None)
    return not form.endswith(("\u20e3", "\ufe0f")) and any(char.isalpha() or char.isdecimal() for char in form)


def _read(word: str) -> str:
    """Return a word read once: what comes out may be a reference again."""
    if "\n" in word:
        word = "".join(re.sub(_HYPHEN, "", word).split())
    word = decode(word)
    if not (word.isascii() and word.isprintable()):
        word = readable(word)
    return "" if _is_noise(word) else word


def _is_noise(word: str) -> bool:
    """Whether a word is none: encoded bytes, a hash, a control character written out, what is longer than any word."""
    if len(word) < 16 or not word.isascii():
        written = word[-1:] in "nrtmK" and re.fullmatch(r"\\+[nrt]|\S{0,5}\[[\d;]*[mK]", word)
        return word.isspace() or bool(written)
    if re.match(_ADDRESS, word):
        return False
    return len(re.findall(_TURN, word)) > max(4, len(word) / 5) or bool(re.fullmatch(_NOISE, word))
