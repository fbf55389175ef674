"""Text → words with their offsets, what lies between them, and what the network reads of them."""

from __future__ import annotations

import functools
import html
import itertools
import re
import unicodedata
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from typing import NamedTuple, overload

# What lies before a word: nothing, white space, one line break, or the end of a paragraph or of a table's cell, which
# no entity crosses. Before the first word a paragraph ends.
NONE, SPACE, LINE, PARAGRAPH = range(4)

_APOSTROPHE = r"(?:['’]|&(?:amp;)?(?:\#0*39|\#[xX]27|apos|rsquo|\#8217|\#[xX]2019);|\\u2019)"
_CLITIC = rf"{_APOSTROPHE}(?:s|S|re|RE|ve|VE|ll|LL|d|D|m|M)\b"
_ABBREVIATIONS = ("Adm|Ala|Ariz|Ark|Assn|Aug|Ave|Bros|Calif|Capt|Cie|Co|Col|Colo|Conn|Corp|Cos|Dec|Del|Dr|Feb|Fla|Ft|"
                  "Ga|Gen|Gov|Hon|Ill|Inc|Ind|Jan|Jr|Kan|Ky|La|Lt|Ltd|Maj|Mass|Md|Messrs|Mich|Minn|Miss|Mo|Mr|Mrs|Ms|"
                  "Mt|Neb|Nev|Nov|Oct|Okla|Ont|Ore|Pa|Ph|Prof|Rep|Reps|Rev|Sen|Sens|Sept|Sgt|Sr|St|Ste|Tenn|Tex|Va|vs|"
                  "Wash|Wis|Wyo")
# What a full stop joins to the letters before it: ends of domains and of file names. Those of the second kind are words
# too, with which a sentence may begin.
_ENDS = ("com|org|net|edu|gov|mil|int|info|biz|io|ai|eu|uk|de|fr|es|nl|ch|ca|au|jp|cn|ru|br|kr|se|dk|fi|pl|cz|hu|gr|pt|"
         "ie|nz|za|mx|ar|tv|cc|ly|gl|gg|fm|tk|co|asia|mobi|s?html?|xhtml|php|aspx?|jsp|m?js|jsx|tsx?|s?css|jsonl?|xml|"
         "xsd|ya?ml|toml|ini|cfg|conf|csv|tsv|txt|md|rst|tex|pdf|docx?|xlsx?|pptx?|odt|rtf|epub|jpe?g|png|gif|svg|bmp|"
         "tiff?|webp|ico|mp[34]|avi|mov|mkv|wav|ogg|flac|zip|gz|tar|tgz|bz2|xz|rar|7z|exe|dll|msi|dmg|iso|deb|rpm|jar|"
         "apk|py[ci]?|ipynb|java|cpp|hpp|cs|rb|rs|sh|ps1|sql|sqlite|db|log|bak|tmp|[ch]")
_ENDS_TOO = "in|it|is|at|no|so|to|be|me|my|us|as|am|do|go|by|la|id|im|app|dev|news|blog|shop|online|site|live|lock|bat"
# References to letters beyond ASCII, by name or number, as HTML and JSON write them; to anything; to white space.
_LETTER_REFERENCE = (r"&(?:amp;)?(?:[A-Za-z](?:acute|grave|circ|uml|tilde|cedil|ring|caron|slash|breve|macr|ogon|dot|"
                     r"dblac|strok)|(?:ae|AE|oe|OE|sz)lig|inodot|eth|ETH|thorn|THORN|"
                     r"\#0*(?!215;|247;)(?:19[2-9]|[2-9]\d\d|[1-7]\d{3}|80\d\d|81[0-8]\d)|"
                     r"\#[xX]0*(?![dDfF]7;)(?:[c-fC-F][0-9A-Fa-f]|[1-9A-Fa-f][0-9A-Fa-f]{2}|1[0-9A-Fa-f]{3}));"
                     r"|\\u(?!00[dDfF]7)(?:00[c-fC-F]|0[1-9A-Fa-f][0-9A-Fa-f]|1[0-9A-Fa-f]{2})[0-9A-Fa-f]")
_REFERENCE = (r"&(?:amp;)?(?:[a-z]{2,8}\d?|\#\d{1,7}|\#[xX][0-9A-Fa-f]{1,6});|"
              r"\\u[dD][89abAB][0-9A-Fa-f]{2}\\u[dD][c-fC-F][0-9A-Fa-f]{2}|\\u[0-9A-Fa-f]{4}")
_SPACE_REFERENCE = (r"&(?:amp;)?(?:nbsp|ensp|emsp|thinsp|zwnj|zwj|lrm|rlm|shy|Tab|NewLine|"
                    r"\#0*(?:9|1[03]|32|160|173|819[2-9]|820[0-7]|823[2-9]|65279)|"
                    r"\#[xX]0*(?:9|[aAdD]|20|[aA]0|[aA][dD]|200[0-9A-Fa-f]|202[89A-Fa-f]|[fF][eE][fF]{2}));")
# ECMA-48's control sequences (colours and the like), and operating system commands (links, titles).
_CONTROL = r"\x1b(?:\[[0-?]*+[\ -/]*+[@-~]|\][^\x07\x1b\n]*+(?:\x07|\x1b\\)|[()][0-9A-B])"
# Cf and Cc, without white space and ESC.
_INVISIBLE = ("\\x00-\\x08\\x0e-\\x1a\\x7f-\\x84\\x86-\\x9f\u00ad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2"
              "\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb\U000110bd\U000110cd"
              "\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f")
# Scripts whose words are not parted by white space: Thai to Khmer, Hangul, kana, bopomofo, Han.
_IDEOGRAPHS = ("\u0e00-\u0e3a\u0e40-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007"
               "\u3021-\u302f\u3031-\u3035\u303b\u303c\u3041-\u309f\u30a1-\u30fa\u30fc-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
               "\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\uff66-\uffdc\U0001aff0-\U0001b2ff\U00020000-\U0003ffff")
# Numbers that point to a note, or are a list's.
_NOTES = "¹²³⁰⁴-⁹①-⒛⓪-⓿❶-➓"
# Scripts of the second plane, letters of mathematics, variation selectors.
_SCRIPTS = ("\U00010000-\U0001afef\U0001b300-\U0001cfff\U0001d400-\U0001d7ff\U0001df00-\U0001efff"
            "\U000e0100-\U000e01ef")
# Letters that Python does not call so.
_CIRCLED = "Ⓐ-ⓩ\U0001f130-\U0001f149"
_BASE64 = "[A-Za-z0-9+/_-]"


class Rule(NamedTuple):
    """What a word may be.

    pattern: a verbose regular expression, in which <word> stands for a class of `_classes`; text and words: an
    example, and what it is split into.
    """

    name: str
    pattern: str
    text: str
    words: str


# In order of precedence. Repetitions are possessive or bounded, so that a pass is linear in the text; those of groups
# would remember each round as well, 90 bytes a character. The first gives most words as others would, in half the time.
RULES = (
    Rule("plain word", r"[A-Za-z]++(?=[\s,;!?)\]]|\Z) | [a-z]{3,}+(?=\.\s)",
         "spring, in Paris.", "spring , in Paris ."),
    Rule("address", r"""(?:[a-z]{2,12}:(?:\\?/){2}|www\.|(?:[a-z0-9-]{1,63}\.){1,3}[a-z]{2,4}(?=/[\w#?]))(?:
            <alnum>++ | [/@#%=+$-] | (?:\.(?![A-Z][a-z]*(?!\S))|[:!?*~_])++(?=[\w/@#%=+$&-]|(?<=_)\() | \\/ | ,(?=-?\d)
          | ;(?=\w{1,20}=) | &(?:amp;|(?!\#?\w{1,8};)) | (?<=[/=])<ideograph>++ | \([\w/.,:%-]*+\))++""",
         "see https://x.org/a?b=c, (x.org/b_(c)).", "see https://x.org/a?b=c , ( x.org/b_(c) ) ."),
    Rule("mail address", r"""[A-Za-z0-9À-ɏ][\w.+-]{0,63}@[A-Za-z0-9À-ɏ][\w-]{0,63}
            (?:\.[A-Za-z0-9À-ɏ](?:[A-Za-z0-9À-ɏ-]{0,62}[A-Za-z0-9À-ɏ])?)++""",
         "write:me@a.org.", "write : me@a.org ."),
    Rule("encoded bytes", rf"""(?<!{_BASE64})(?={_BASE64}{{32}})(?=(?>{_BASE64}*?(?:[a-z][A-Z]|[A-Za-z]\d)){{5}})
            {_BASE64}++={{0,2}}""",
         "base64,VGhlIHF1aWNrIGJyb3duIGZveCBqdW1w+cyBv==", "base64 , VGhlIHF1aWNrIGJyb3duIGZveCBqdW1w+cyBv=="),
    Rule("version", r"""[vV]?\d+(?:\.\d+)++
            (?:[-+.]?(?i:alpha|beta|rc|pre|preview|dev|post|snapshot|build|final|release|a|b)[.-]?\d*)+(?!\w)""",
         "from v1.2.3-beta.1 on", "from v1.2.3-beta.1 on"),
    Rule("letters with full stops", r"""(?:<letter>\.){2,}+(?:-<word>++)*+
          | (?<![\w.])(?:[A-Z]\.[B-HJ-Z]|n\.a|[ei]\.[eg])(?![\w.])""",
         "the U.S.-led force (U.S) at 5 a.m. sharp", "the U.S.-led force ( U.S ) at 5 a.m. sharp"),
    Rule("academic degree", r"(?<!\w)(?:Ph\.D|[BM]\.Sc|[BM]\.Ed|D\.Phil|LL\.[BM])\b\.?",
         "a Ph.D. in physics", "a Ph.D. in physics"),
    Rule("abbreviation", rf"(?<!\w)(?:{_ABBREVIATIONS})\.(?:(?=[A-Z][a-z]|\d|(?!\w))(?:-<word>++)*+)",
         "Dr.Smith of Acme Corp. (Ill.-based)", "Dr. Smith of Acme Corp. ( Ill.-based )"),
    Rule("number, abbreviated", r"(?<!\w)Nos?\.(?=\s?\d)",
         "See No. 5 or No.7? No.", "See No. 5 or No. 7 ? No ."),
    Rule("initial", r"(?<![\w.])[A-Z]\.(?=\s+[A-Z]|[A-Z][a-z])",
         "J. Smith and B.Obama", "J. Smith and B. Obama"),
    Rule("number of an item", r"^\d{1,3}\.(?=[^\S\n])",
         "1. Mansell\n2. Prost in 1992.", "1. Mansell 2. Prost in 1992 ."),
    Rule("currency", r"(?<!\w)[A-Z]{1,3}\$",
         "US$5.50", "US$ 5.50"),
    Rule("number from its sign on", r"(?<![\w.])[.+](?=\d)<alnum>++(?:[.,:/-](?=\d)<alnum>++)*+",
         "hit .500, call +44-20", "hit .500 , call +44-20"),
    Rule("keycap", "[0-9#*]\ufe0f?\u20e3",
         "1️⃣Paris", "1️⃣ Paris"),
    Rule("negation", rf"(?=<word>++{_APOSTROPHE}t\b)<word>+?(?=n{_APOSTROPHE}t\b) | n{_APOSTROPHE}t\b",
         "They don't and can’t", "They do n't and ca n’t"),
    Rule("clitic", _CLITIC,
         "Spain's police; they'll go", "Spain 's police ; they 'll go"),
    Rule("abbreviation in capitals", r"(?<!\w)[A-Z]{1,4}(?:&(?:amp;)?[A-Z]{1,4}){1,3}(?!\w)",
         "AT&T, R&amp;D and Marks&Spencer", "AT&T , R&amp;D and Marks & Spencer"),
    Rule("word", rf"""(?:<word>++|<reference>)(?:(?:
            (?<=[a-zß-ɏ])[-‐]\r?\n[\ \t]{{0,16}}(?=[a-zß-ɏ]|[A-Z][a-z]) | \u00ad\r?\n[\ \t]{{0,16}} | [-‐‑_]
          | (?<=\d)[.,:/](?=\d) | (?!{_CLITIC}){_APOSTROPHE} | (?<=[lL])·(?=[lL])
          | \.(?=(?:[a-z0-9-]{{1,63}}\.){{0,3}}(?:(?i:{_ENDS})|(?:{_ENDS_TOO})(?!\s+\w))(?![\w&]))
          | (?=<seam>)(?:<invisible>|\x1b(?![\[\]()])|&shy;)++)?+(?:<word>++|<reference>))*+""",
         "Wash-\nington: O’Brien-like 3.14, google.com.It", "Wash-\nington : O’Brien-like 3.14 , google.com . It"),
    Rule("ideographs", r"<ideograph>++",
         "在London的Google公司", "在 London 的 Google 公司"),
    Rule("note", rf"[{_NOTES}]++",
         "Berlin² and Paris¹²", "Berlin ² and Paris ¹²"),
    Rule("reference", _REFERENCE,
         "M&uuml;ller&nbsp;said &quot;Oslo&quot;", "M&uuml;ller said &quot; Oslo &quot;"),
    Rule("white space written out", r"\\[nrt](?![a-z]) | (?<=[\w.,!?;:)'\"])\\n",
         r"Hi Mary,\nJohn", r"Hi Mary , \n John"),
    Rule("flag", "[\U0001f1e6-\U0001f1ff]{2}",
         "🇩🇪🇫🇷Paris", "🇩🇪 🇫🇷 Paris"),
    Rule("repeated mark", r"(?P<repeated>(?![(){}\[\]])<mark>)(?:(?P=repeated)(?!<accent>))++",
         "Then -- ... ?!", "Then -- ... ? !"),
    Rule("any other", "\\S<accent>*+(?:[\U0001f3fb-\U0001f3ff]|\u200d(?!<invisible>)<mark><accent>*+)*+",
         "I ❤️Paris!", "I ❤️ Paris !"),
)


@functools.cache
def _classes(*, ascii_only: bool) -> dict[str, str]:
    """Return the classes of characters in rules: in ASCII, where most are few, so that patterns are fast."""
    if ascii_only:
        classes = {"word": "[A-Za-z0-9]", "alnum": "[A-Za-z0-9]", "letter": "[A-Za-z]",
                   "ideograph": "(?!)", "accent": "(?!)",
                   "invisible": r"[\x00-\x08\x0e-\x1a\x7f]", "seam": r"[\x00-\x08\x0e-\x1b\x7f&\\]"}
    else:
        codes = itertools.chain(range(0x80, 0x3400), range(0xa000, 0xac00), range(0xf900, 0x10000))
        chars = list(map(chr, codes))
        accents = [char for char in chars if unicodedata.category(char).startswith("M")]
        others = re.findall(f"[{_IDEOGRAPHS}{_NOTES}]", "".join(chars))
        letters = {*accents, *filter(str.isalnum, chars)}.difference(others)
        word = f"[A-Za-z0-9{_ranges(sorted(map(ord, letters)))}{_CIRCLED}{_SCRIPTS}]"
        classes = {"word": word, "alnum": rf"[^\W_{_IDEOGRAPHS}]", "letter": rf"[^\W\d_{_IDEOGRAPHS}]",
                   "ideograph": f"[{_IDEOGRAPHS}]", "accent": f"[{_ranges(map(ord, accents))}]",
                   "invisible": f"[{_INVISIBLE}]", "seam": rf"[{_INVISIBLE}\x1b&\\]"}
    return classes | {
        "mark": r"(?:[^\w\s]|_)",
        "reference": _LETTER_REFERENCE,
    }


@functools.cache
def _pattern(*, ascii_only: bool) -> re.Pattern[str]:
    """Return what parts words, if anything, and then what a word is; at the end of a text that is empty."""
    classes = _classes(ascii_only=ascii_only)
    pattern = (rf"(?:(?:\s|<invisible>)++|{_CONTROL}|\x1b|{_SPACE_REFERENCE})*+(?P<word>"
               + "|".join(rule.pattern for rule in RULES) + r"|\Z)")
    while (filled := re.sub(r"(?<!P)<(\w+)>", lambda match: f"(?:{classes[match[1]]})", pattern)) != pattern:
        pattern = filled
    return re.compile(pattern, re.VERBOSE | re.MULTILINE)


def _ranges(codes: Iterable[int]) -> str:
    """Return characters as the ranges of a class."""
    ranges = []
    for _, group in itertools.groupby(enumerate(codes), lambda each: each[1] - each[0]):
        run = [code for _, code in group]
        ranges.append(f"\\u{run[0]:04x}-\\u{run[-1]:04x}")
    return "".join(ranges)


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

    @functools.cached_property
    def breaks(self) -> bytes:
        """Of each word, what lies before it."""
        text, starts, ends = self.text, self.bounds[::2], self.bounds[1::2]
        gaps = map(slice, itertools.chain([0], ends), starts)
        breaks = bytearray(map(_KINDS.__getitem__, map(text.__getitem__, gaps)))
        breaks[:1] = bytes([PARAGRAPH])[:len(breaks)]
        for match in _ENDS_CELL.finditer(text):
            after = bisect_right(starts, match.end() - 1)
            breaks[after:after + 1] = bytes([PARAGRAPH])[:len(breaks) - after]
        return bytes(breaks)

    @functools.cached_property
    def forms(self) -> Sequence[str]:
        """What the network reads of each word, see `form`."""
        return Forms(self) if _MAY_DIFFER.search(self.text) else self


# What a text has in which the network reads a word as another.
_MAY_DIFFER = re.compile(r"[^\t\n\f\r -~]|[&\\]|[-]\s*\n|\S{16}")
# Words that are gone through together.
_AT_ONCE = 4096


class Forms(Sequence[str]):
    """What the network reads of a text's words: only those that it reads as others are kept."""

    def __init__(self, words: Words) -> None:
        """Go through all words once."""
        self._words = words
        self._others = {start + i: read for start in range(0, len(words), _AT_ONCE)
                        for i, word in enumerate(words[start:start + _AT_ONCE]) if (read := form(word)) != word}
        self._places = list(self._others)

    def __len__(self) -> int:
        return len(self._words)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if not isinstance(index, slice):
            return form(self._words[index])
        which = range(len(self))[index]
        if which.step != 1:
            return [self[i] for i in which]
        words = self._words[index]
        for place in self._places[bisect_left(self._places, which.start):bisect_left(self._places, which.stop)]:
            words[place - which.start] = self._others[place]
        return words


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
_ENDS_CELL = re.compile(r"[|¦│┃║]|</?(?:br|p|div|t[dhr]|li|h[1-6]|option)\b[^<>]{0,256}>|\\t(?![a-z])|\\n\\n", re.I)


def _kind(gap: str) -> int:
    """Return what a gap between two words is.

    A tab that indents a line ends nothing, nor do spaces. Two spaces are a line break: they part columns, but words of
    justified lines too.
    """
    gap = re.sub(rf"{_CONTROL}|[{_INVISIBLE}\x1b]", "", html.unescape(gap) if "&" in gap else gap, flags=re.VERBOSE)
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
_SECOND = re.compile(r"(?:based|led|born|backed|owned|held|run|made|style|bound|speaking|controlled|sponsored|listed|"
                     r"trained|educated|occupied|brokered|mediated|registered|area|era|wide|like|old|year|term|time|"
                     r"known|general|elect|designate|in|to|of|the|and|up|off|out)\b")
# Turns that letters and digits take in what is encoded, and seldom in words.
_TURN = re.compile(r"[a-z](?=[A-Z])|[A-Za-z](?=\d)|\d(?=[A-Za-z])")
_HASH = re.compile(r"(?:0x)?(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{16,}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)
_REFERENCES = re.compile(rf"{_LETTER_REFERENCE}|{_REFERENCE}|{_SPACE_REFERENCE}", re.VERBOSE)
_UNSEEN = re.compile(rf"[{_INVISIBLE}\x1b]+")
_HYPHEN, _SPACES = re.compile(rf"[-‐]\s++(?![A-Z]|{_SECOND.pattern})|\u00ad\s+"), re.compile(r"\s+")
_LETTERS, _ADDRESS = re.compile(f"[{_CIRCLED}]"), re.compile(r"(?:https?|ftp):|www\.|[^@]{1,64}@")


def form(word: str) -> str:
    """Return what the network reads of a word; of most that is the word.

    References are decoded, what nobody sees is left out, characters for compatibility (full width, ligatures) become
    those that they stand for, hyphenation ends. Nothing remains of what is no word: bytes in base64, hashes, white
    space written out.
    """
    if word.isascii() and ((word.isalpha() and len(word) < 16) or len(word) == 1):
        return word
    while (read := _read(word)) != word:
        word = read
    return word


def can_bound(word: str) -> bool:
    """Whether an entity may begin or end with a word: there is a letter or a digit in it."""
    return not word.endswith("\u20e3") and any(char.isalpha() or char.isdecimal() for char in form(word))


def _read(word: str) -> str:
    """Return a word read once: what comes out may be a reference again."""
    if "&" in word or "\\u" in word:
        word = _REFERENCES.sub(_decoded, word)
    if "\n" in word:
        word = _SPACES.sub("", _HYPHEN.sub("", word))
    if not (word.isascii() and word.isprintable()):
        word = _UNSEEN.sub("", word)
        if not unicodedata.is_normalized("NFKC", word):
            word = "".join("".join(chars) if stays else unicodedata.normalize("NFKC", "".join(chars))
                           for stays, chars in itertools.groupby(word, _is_symbol))
    return "" if _is_noise(word) else word


def _decoded(match: re.Match[str]) -> str:
    """Return what a reference stands for; JSON has two for a character beyond the first plane."""
    if not match[0].startswith("\\"):
        return html.unescape(match[0])
    return bytes.fromhex(match[0].replace("\\u", "")).decode("utf-16-be", "surrogatepass")


def _is_symbol(char: str) -> bool:
    """Whether a character is a symbol or a note's number, which mean more than what is compatible with them."""
    return unicodedata.category(char) in ("So", "No") and not _LETTERS.match(char)


def _is_noise(word: str) -> bool:
    """Whether a word is none: base64, a hash, white space written out, what is longer than any word."""
    if len(word) < 16:
        return word in ("\\n", "\\r", "\\t") or word.isspace()
    if not word.isascii() or _ADDRESS.match(word):
        return False
    n_turns = len(_TURN.findall(word))
    return len(word) > 64 or n_turns > max(4, len(word) / 4) or _HASH.fullmatch(word) is not None
