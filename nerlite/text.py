"""Text → words with their offsets, what lies between them, and what the network reads of them."""

from __future__ import annotations

import functools
import itertools
import operator
import re
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import NamedTuple, overload

import numpy as np

from nerlite.abbreviations import ENDS, ENDS_TOO, PLACES, STARTS, TITLES
from nerlite.characters import (
    ALL,
    CONTROL,
    INVISIBLE,
    LIKE_APOSTROPHE,
    NOTES,
    ODD_SPACE,
    PLAIN,
    REFERENCE,
    UNSEEN_REFERENCE,
    classes,
    decode,
    kind_of,
    unstyled,
)
from nerlite.forms import PRINTED_BYTES, Forms
from nerlite.forms import form as form
from nerlite.lazy import Lazy
from nerlite.unseen import TIE, WRITTEN, restored, without, without_within, without_written

# What lies before a word: nothing, white space, one line break, or the end of a paragraph or of a table's cell, which
# no entity crosses. Before the first word a paragraph ends.
NONE, SPACE, LINE, PARAGRAPH = range(4)

_CLITIC = (rf"(?:<apostrophe>|(?<=[A-Za-z])[{LIKE_APOSTROPHE}\ufffd])"
           r"(?:s|re|ve|ll|d|m|RE|VE|LL|[DMS](?!(?<!\w..)\.\s?[A-Z]))\b(?!<reference>)")
# Escapes for white space, and sequences for colours whose ESC is written out or lost.
_WRITTEN = (r"\\{1,3}[nrt](?![a-z]) | (?<=[\w.,!?;:)}'\"])\\(?:[nN](?!ew(?:line|page)|oindent)|t(?=[b-dfgj-npstuvyz]))"
            r" | \\(?:pard?|line|cell|row|tab)(?![a-z])"
            r" | (?:\\(?:033|x1[bB]|e|u001[bB])|\#033|\^\[|␛)\[[\d;]{0,20}[mK]"
            r" | \[\d{1,3}(?:;\d{1,3}){0,4}m(?=[\w\[(\x22\x27]) | \[0m")
# A part of a domain.
_LABEL = "[A-Za-z0-9À-ɏ](?:[A-Za-z0-9À-ɏ-]{0,62}[A-Za-z0-9À-ɏ])?"
# A part of a path.
_FILE = r"(?:[\w$%~@+-]|\.(?=\w))++"
# Bytes in hexadecimal, one or two.
_HEX = "[0-9a-fA-F]{2}(?:[0-9a-fA-F]{2})?+"
_BASE64 = "[A-Za-z0-9+/_-]"


class Rule(NamedTuple):
    """What a word may be.

    pattern: a verbose regular expression, in which <word> stands for a class of `characters.classes`; text and words:
    an example, and what it is split into; plain: whether a text of plain characters may have one.
    """

    name: str
    pattern: str
    text: str
    words: str
    plain: bool = True


# In order of precedence. Repetitions are possessive or bounded, so that a pass is linear in the text; those of groups
# would remember each round as well, 90 bytes a character. The plain rules give what others would, in less time.
RULES = (
    Rule("plain word", r"(?!(?:Mrs?|Dr|Prof)[A-Z])[A-Za-z]++(?:-[A-Za-z0-9]++)*+(?=[\s,;?)\]]|!(?!\w)|\Z)",
         "spring, in the mid-1990s!", "spring , in the mid-1990s !"),
    Rule("bytes in hexadecimal", rf"""{_HEX}(?=:|[\ ][\ \d]{{0,30}}[a-fA-F])
            (?:(?::{_HEX}(?!\w)){{5,}}+ | (?:[\ ]{{1,2}}{_HEX}(?!\w)){{7,}}+)""",
         "b6:89:3d:09:ac:fe: 48 65 6c 6c 6f 20 57 6f 72", "b6:89:3d:09:ac:fe : 48 65 6c 6c 6f 20 57 6f 72"),
    Rule("plain number", r"[0-9]++(?:[.,-][0-9]++)*+(?=[\s;?)\]]|,(?!\d)|\Z)",
         "1,500.5, in 1990-91", "1,500.5 , in 1990-91"),
    Rule("plain mark", r"""[(),;"](?=[\w\s])(?!(?<=\()(?:[cC]|tm|TM)\)) | \.(?=\s)""",
         'a ("b"), c. ', 'a ( " b " ) , c .'),
    Rule("plain word before a mark", rf"""
            (?=[A-Za-z]{{3,}}+\.\s)(?!(?:(?i:{TITLES}|nos)|{PLACES})\.)[A-Za-z]++(?<![sS]tr)
          | [A-Za-z]{{2,}}+(?='s\s)""",
         "in Spain's capital. ", "in Spain 's capital ."),
    Rule("address", r"""(?:
              (?i:(?:https?|[a-z][a-z\d]{1,11}(?<![a-z]{2}http)(?<![a-z]{2}https)):(?:\\?/){2}|www\.)
            | (?:[a-z0-9-]{1,63}\.){1,3}[a-z]{2,4}(?=/[\w#?]))(?:
            <alnum>++ | [/@#%=+$] | -(?!-[A-Z]) | (?:\.(?![A-Z][a-z]*(?!\S))|[!*](?![A-Z][a-z])|[:?~_])++
                (?=[\w/@#%=+$&-]|(?<=_)\()
          | \\/ | ,(?=-?\d) | ;(?=\w{1,20}=) | &(?:amp;|(?!\#?\w{1,8};)) | (?<=[/=])<ideograph>++
          | \([\w/.,:%-]*+\))++""",
         "see https://x.org/a?b=c, (x.org/b_(c)), s3://a/b.", "see https://x.org/a?b=c , ( x.org/b_(c) ) , s3://a/b ."),
    Rule("mail address", rf"""[A-Za-z0-9À-ɏ][\w.+-]{{0,63}}@[A-Za-z0-9À-ɏ][\w-]{{0,63}}
            \.{_LABEL}(?:\.(?![A-Z][a-z]*(?![\w.-])){_LABEL})*+""",
         "write:me@a.org.Thanks", "write : me@a.org . Thanks", plain=False),
    Rule("path", rf"""(?<![\w\\])(?:[A-Za-z]:(?!\\[nrt][A-Z\s\\])|\\(?!\\[nrt][A-Z\s\\])(?=\\\w))
            (?:\\{{1,2}}{_FILE}(?:(?:\ [\w.-]{{1,32}}){{1,3}}(?=\\))?+)++
          | (?<![\w/<&.$%~@+-])(?:~|\.{{1,2}})?(?:/{_FILE}){{2,}}+/?
          | (?<![\w/<&.])(?:\w[\w+-]{{0,63}}+/){{1,16}}+\w[\w+-]{{0,63}}+\.(?:{ENDS})(?![\w&])""",
         r"from \\pc\My Files\new.txt, to /usr/new, a/b.c.",
         r"from \\pc\My Files\new.txt , to /usr/new , a/b.c .", plain=False),
    Rule("handle", r"""(?<![\w@])@(?:[A-Za-z]{2,20}\{[^\s{},]{1,64}(?=,)
          | (?!(?<=<@)[A-Z][a-z]{1,20}>)[A-Za-z0-9][A-Za-z0-9_]{0,30}+)""",
         "RT @ada_l: met @Bob at 5@home @book{Ada, ", "RT @ada_l : met @Bob at 5 @ home @book{Ada ,", plain=False),
    Rule("encoded bytes", rf"""(?<!{_BASE64})(?={_BASE64}{{32}})(?=(?>{_BASE64}*?(?:[a-z][A-Z]|[A-Za-z]\d)){{5}})
            {_BASE64}++={{0,2}}(?:(?<={_BASE64}{{60}})\r?\n[\ \t]{{0,16}}(?![A-Z]?[a-z]*+(?:\s|\Z))
                {_BASE64}++={{0,2}}(?=[\ \t]{{0,16}}\r?(?:\n|\Z)))*+
          | =\?[A-Za-z0-9-]{{2,20}}\?[bB]\?{_BASE64}*+=*\?=""",
         "base64,VGhlIHF1aWNrIGJyb3duIGZveCBqdW1w+cyBv==", "base64 , VGhlIHF1aWNrIGJyb3duIGZveCBqdW1w+cyBv=="),
    Rule("bytes in base 85", rf"(?<![A-Za-z0-9]){PRINTED_BYTES}",
         "is RA^-&adl~9Yan8BZ+C7WW^Z^PYISXJb0BYaWpW^NXk{R5VS0HWWN",
         "is RA^-&adl~9Yan8BZ+C7WW^Z^PYISXJb0BYaWpW^NXk{R5VS0HWWN"),
    Rule("version", r"""[vV]?\d+(?:\.\d+)++
            (?:[-+.]?(?i:alpha|beta|rc|pre|preview|dev|post|snapshot|build|final|release|a|b)[.-]?\d*)+(?!\w)""",
         "from v1.2.3-beta.1 on", "from v1.2.3-beta.1 on"),
    Rule("letters with full stops", r"""(?:(?<!\w)[a-z]{2,8}-(?=[A-Z]))?(?:[^\W\d_]\.){2,}+
            (?:-(?:\r?\n[\ \t]{0,16}(?=[a-z]))?(?:(?:[^\W\d_]\.){2,}+|[^\W_]++))*+
          | (?<![\w.])(?:[A-Z]\.[B-HJ-Z]|n\.a|[ei]\.[eg])(?![\w.])""",
         "the U.S.-led, non-U.S. force at 5 a.m. in (U.S)", "the U.S.-led , non-U.S. force at 5 a.m. in ( U.S )"),
    Rule("dotted name", r"""(?<![\w.])[a-z][a-z0-9_-]{0,63}(?:\.[a-z][a-z0-9_-]{0,63}){2,}+(?![A-Za-z0-9])
          | (?<![\w.])(?:com|org|net|io|edu|gov|javax?|sun)(?:\.[a-z]\w{0,63}){1,8}+(?:\.[A-Z]\w{0,63}){1,3}+""",
         "in sci.space.news, org.x.Main", "in sci.space.news , org.x.Main"),
    Rule("academic degree", r"(?<!\w)(?:(?i:Ph\.D)|[BM]\.Sc|[BM]\.Ed|D\.Phil|LL\.[BM])\b\.?",
         "a Ph.D. in physics", "a Ph.D. in physics"),
    Rule("abbreviation", rf"""(?<!\w)(?:
            (?:(?i:{TITLES})|(?:[DIR]-)?(?:{PLACES}))\.(?:(?=[A-Z][a-z'’.]|\d|(?!\w))(?:-[^\W_]++)*+)
          | (?:[DJMS]r|M(?:r?s)|Inc|Corp|Ltd|Bros)\.(?=[A-Z]|(?!com\b)[a-z]+\s) | [\w-]{{0,32}}[sS]tr\.(?=\s?\d))""",
         "Dr.Smith, Ms.de Bo (R-Ill.) of Acme Corp.in Ill. (Ill.-based), Uhlandstr. 5",
         "Dr. Smith , Ms. de Bo ( R-Ill. ) of Acme Corp. in Ill. ( Ill.-based ) , Uhlandstr. 5"),
    Rule("number, abbreviated", r"(?<!\w)(?i:nos?)\.(?=\s?\d)",
         "See No. 5 or No.7? No.", "See No. 5 or No. 7 ? No ."),
    Rule("initial", rf"""(?<!\w)[A-Z]\.(?=(?![^\S\n]*+\n[^\S\n]*+\n)(?:\s++|~)(?!The\s|(?:{STARTS})\s[a-z])[A-Z]
          | (?!(?:{STARTS})\s)[A-Z][a-z] | [,;] | \s(?:\((?:19|20)\d\d|&\s)
          | (?<=,\s[A-Z]\.)[\d*†‡])""",
         "J. Smith, K. (2001), L., M.1,2; took vitamin D. He met Mr.B.Obama",
         "J. Smith , K. ( 2001 ) , L. , M. 1,2 ; took vitamin D . He met Mr. B. Obama"),
    Rule("number of an item", r"^\d{1,3}\.(?=[^\S\n])",
         "1. Mansell\n2. Prost in 1992.", "1. Mansell 2. Prost in 1992 ."),
    Rule("mark in a name", r"""(?<!\w)(?:[A-Z]!(?=[a-z]{2})|[A-Z][a-z]{0,8}\$(?=[a-z]{2})|[A-Z]\$(?=[A-Z]{2})
            | [A-Z][a-z]++(?:"[A-Z]"|“[A-Z]”)(?=[A-Z][a-z]))[A-Za-z]++
          | (?<![\w+])(?:[A-Z]\#|[A-Za-z]++\+\+)(?![\w#+]) | (?<![\w.])\.NET\b""",
         'P!nk in Toys"R"Us; C#, C++ ++Oslo++', 'P!nk in Toys"R"Us ; C# , C++ ++ Oslo ++'),
    Rule("word grown together", rf"""(?<!\w)[A-Z][a-zß-ɏ]++(?=
            (?:\d{{5}}|(?:19|20)\d\d|\d{{1,2}}(?:,\d{{1,2}}){{1,4}}|(?<=[a-z]{{3}})[1-9]
              |(?<=[a-z]{{2}})[1-9](?=[,;*∗†‡§]))(?![\w-])|\.(?:(?:{ENDS_TOO})(?![\w&.@/-])|(?:de|es|fr|la)\s[A-Z]))
          | (?<!\w)(?:\d{{3,9}}|\d{{1,4}}(?:[:./-]\d{{1,4}}){{1,3}})(?=[A-Z][a-z]{{2}})
          | (?<!\w)(?:(?:\d\d|Mrs?|Dr|Prof)(?=[A-Z][a-z]{{3}})|[bfru]{{1,2}}['"](?=[@\#]?[A-Z]))
          | (?:^|(?<=[,;]\s))[1-9](?=[A-Z][a-z]{{3,}}+\s(?:of\b|[A-Z]))
          | (?<!\w)(?=[A-Za-z]{{2,18}}+://)[A-Za-z]{{2,12}}(?=https?://)
          | (?<=(?<!\w)')[A-Z][a-zß-ɏ]{{2,}}+(?='(?:is|was|and|in|of|to|the)\b)""",
         "Bonn10557, Oslo.it; 'Rome'is Ada1,2 Oslo1952 Roy3* Romehttp://a 12:30Paris MrHill u'Bern'",
         "Bonn 10557 , Oslo . it ; ' Rome ' is Ada 1,2 Oslo 1952 Roy 3 * Rome http://a 12:30 Paris Mr Hill u' Bern '"),
    Rule("currency", r"(?<![\w$])[A-Z]{1,3}\$",
         "US$5.50 and $X$", "US$ 5.50 and $ X $"),
    Rule("number from its sign on", r"(?<![\w.])[.+](?=\d)[A-Za-z\d]++(?:[.,:/-](?=\d)[A-Za-z\d]++)*+",
         "hit .500, call +44-20", "hit .500 , call +44-20"),
    Rule("accent on nothing", r"(?=[^\x00-\x7f])<accent>++",
         "a \u0301Paris", "a \u0301 Paris"),
    Rule("negation", r"[A-Za-z]{1,12}?(?=n<apostrophe>t\b) | n<apostrophe>t\b",
         "They don't and can’t", "They do n't and ca n’t"),
    Rule("clitic", _CLITIC,
         "Spain's police; they`ll go", "Spain 's police ; they `ll go"),
    Rule("abbreviation in capitals", r"(?<!\w)[A-Z]{1,4}(?:\\?&(?:amp;)?[A-Z]{1,4}){1,3}(?!\w)",
         r"AT&T, R&amp;D, B\&Q and Marks&Spencer", r"AT&T , R&amp;D , B\&Q and Marks & Spencer", plain=False),
    Rule("word", rf"""<letters>(?:(?:
            [-‐¬](?:(?<=[a-zß-ɏ].)\ ?\r?\n[\ \t]{{0,16}}(?=[a-zß-ɏ]|[A-Z][a-z])
              | (?<=[A-Z]{{2}}.)\ ?\r?\n[\ \t]{{0,16}}(?=[A-Z]{{2}}))
          | =(?:(?<=[a-z]=)|(?<==[89AB][0-9A-F]=))\r?\n(?=[a-z]|=[C-F3-9]) | \u00ad\r?\n[\ \t]{{0,16}} | [-‐‑_] | \\_
          | [.,:/](?<=\d.)(?=\d)
          | (?=['’ʼâ&\\%=<\ufffd\ufffe])(?!{_CLITIC})(?:<apostrophe>|(?<=[^\W\d_])(?:\ufffd{{1,2}}+|\ufffe)(?=[a-zß-ɏ]))
          | (?<=\b[OD])[{LIKE_APOSTROPHE}](?=[A-Z][a-z])
          | (?<=[lL])·(?=[lL])
          | \.(?!www\.)(?=(?:[a-z0-9-]{{1,63}}\.){{0,3}}(?:(?i:{ENDS})|(?:{ENDS_TOO})(?!\s+\w))(?![\w&]))
          | (?=<seam>)(?:<invisible>|[\x1b\x9b](?![\[\]()\d])|{UNSEEN_REFERENCE})++
          )?+<letters>)*+""",
         "Wash-\nington: O’Brien-like 3.14, M�ller, google.com.It",
         "Wash-\nington : O’Brien-like 3.14 , M�ller , google.com . It"),
    Rule("word from right to left", r"<leftward>++(?:(?:[-‐‑_]|<apostrophe>|<invisible>++)?+<leftward>++)*+",
         "בBerlin, ב-Rome", "ב Berlin , ב - Rome"),
    Rule("ideographs", r"<ideograph>++",
         "在London的Google公司", "在 London 的 Google 公司"),
    Rule("note", rf"[{NOTES}]++",
         "Berlin², Paris¹² and Romeᵃ, but H₂O", "Berlin ² , Paris ¹² and Rome ᵃ , but H₂O", plain=False),
    Rule("control written out", _WRITTEN,
         r"Hi Mary,\nJohn\par \033[31mOslo", r"Hi Mary , \n John \par \033[31m Oslo", plain=False),
    Rule("command", r"""(?<!\\)\\(?:
              (?:begin|end|cite[a-z]?|(?:eq|page)?ref|label|usepackage|input)\{[^{}\s]{1,64}\} | [a-z]{2,32}+\*?(?=\{)
            | (?:item|and|new(?:line|page)|h?line(?:break)?|q?quad|[lc]?dots|hfill|noindent|footnotemark)(?![A-Za-z]))
          | (?<![^\W\d]|\\)\\(?!x[\da-f][\da-f]\\x)(?:
              [a-z]{2,32}+(?:\d{1,6}+|\*)?(?=[\s{\[\\]|\Z) | (?<=\{\\)[a-z]{1,4}\d?(?=[\s}\\])) | \\f[BIPR](?![a-z])""",
         r"\textbf{Ada}\item Oslo\footnote{a}\ref{b} \fs24\ansi Bern {\b Ida} \fBEve\fR",
         r"\textbf { Ada } \item Oslo \footnote { a } \ref{b} \fs24 \ansi Bern { \b Ida } \fB Eve \fR", plain=False),
    Rule("reference", REFERENCE,
         "M&uuml;ller&nbsp;said &quot;Oslo&quot;", "M&uuml;ller said &quot; Oslo &quot;", plain=False),
    Rule("flag", "[\U0001f1e6-\U0001f1ff]{2}",
         "🇩🇪🇫🇷Paris", "🇩🇪 🇫🇷 Paris", plain=False),
    Rule("repeated mark", r"(?P<repeated>(?![(){}\[\]])<mark>)(?:(?P=repeated)(?!<accent>))++",
         "Then -- ... ?!", "Then -- ... ? !"),
    Rule("degrees", r"[°º][CF](?!\w)",
         "at 5°C", "at 5 °C", plain=False),
    Rule("copyright sign", r"\((?:[cC]|tm|TM)\)",
         "(C) 2019 Acme(tm)", "(C) 2019 Acme (tm)"),
    Rule("any other", "\\S<accent>*+(?:[\U0001f3fb-\U0001f3ff]|\u200d(?!<invisible>|[\x1b\x9b])<mark><accent>*+)*+",
         "I ❤️Paris!", "I ❤️ Paris !"),
)


@functools.cache
def _pattern(kind: int) -> re.Pattern[str]:
    """Return what parts words, if anything, and then what a word is; at the end of a text that is empty.

    kind: that of the texts, see `nerlite.characters`.
    """
    own = classes(kind)
    pattern = (rf"[ ]?+(?:(?=[!-$'-<>-\[\]-z])|(?:<space>|{TIE})*+)(?P<word>"
               + "|".join(rule.pattern for rule in RULES if kind != PLAIN or rule.plain) + r"|\Z)")
    while (filled := re.sub(r"(?<!P)<(\w+)>", lambda match: f"(?:{own[match[1]]})", pattern)) != pattern:
        pattern = filled
    return re.compile(pattern, re.VERBOSE | re.MULTILINE)


class Words(Sequence[str]):
    """The words of a text, each cut out of it when it is asked for: a million take 8 MB instead of 200.

    bounds: where they lie, in code points: start, end, start, end and so on; breaks: of each word, what lies before it
    (`NONE`, `SPACE`, `LINE` or `PARAGRAPH`): seen in the text where it is not given; read: those that are read, where
    some are white space to a reader (see `nerlite.unseen`), in a text that has white space for them.
    """

    def __init__(self, text: str, bounds: Iterable[int], breaks: bytes | None = None, read: Words | None = None
                 ) -> None:
        self.text, self.bounds = text, bounds if isinstance(bounds, array) else array(_typecode(text), bounds)
        self._read = read
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

    @property
    def read(self) -> Words:
        """The words that the network reads: without those that are white space to a reader."""
        return self if self._read is None else self._read

    @Lazy
    def breaks(self) -> bytes:
        """Of each word, what lies before it."""
        text = self.text
        if not re.search(_ODD_IN_GAPS, text):  # all of them are of spaces and ties
            lengths = map(operator.sub, self.bounds[2::2], self.bounds[1::2])
            return bytes([PARAGRAPH, *map(min, lengths, itertools.repeat(PARAGRAPH))])[:len(self)]
        bounds = np.asarray(self.bounds)
        # As if a word began where the text ends.
        starts, ends = np.append(bounds[::2], np.uint32(len(text))), np.append(np.uint32(0), bounds[1::2])
        breaks, odd = np.minimum(starts - ends, SPACE).astype(np.uint8), starts - ends > 1
        odd[np.searchsorted(starts, _spans(_ODD_GAP, text)[1::2])] = True
        gaps = zip(ends[odd].tolist(), starts[odd].tolist(), strict=True)
        breaks[odd] = [(_known_kind if end - start < 16 else _kind)(text[start:end]) for start, end in gaps]
        breaks[np.searchsorted(starts, _spans(_ENDS_CELL, text)[1::2])] = PARAGRAPH
        breaks[0] = PARAGRAPH
        return breaks[:-1].tobytes()

    @Lazy
    def forms(self) -> Sequence[str]:
        """What the network reads of each word, see `form`."""
        lengths = map(operator.sub, self.bounds[1::2], self.bounds[::2])
        if not _ODD_AT_ALL.search(self.text) and max(lengths, default=0) <= _SHORT:
            return self
        bounds = np.asarray(self.bounds)
        spans = np.concatenate([_spans(_ODD_WORD, self.text), _spans(_ODD_PAIR, self.text)])
        firsts, stops = np.searchsorted(bounds[1::2], spans[::2], "right"), np.searchsorted(bounds[::2], spans[1::2])
        odd = set(np.flatnonzero(bounds[1::2] - bounds[::2] > _SHORT).tolist())
        odd.update(itertools.chain.from_iterable(map(range, firsts.tolist(), stops.tolist())))
        others = {i: read for i in sorted(odd) if (read := form(word := self[i])) != word}
        return Forms(self, others) if others else self


# What a gap has that is no single space; what a word has that the network reads as another: characters, and pairs.
_ODD_GAP = rf"[{ODD_SPACE}{INVISIBLE}]++|[\x1b\x9b]"
_ODD_IN_GAPS = rf"[{ODD_SPACE}{INVISIBLE}\x1b\x9b|¦│┃║‖｜<&%=\\]"
_ODD = r"[^\t\n\f\r -$'-<>-\[\]-~À-ÿ‘’“”–—]"
_ODD_WORD, _SHORT = rf"{_ODD}{_ODD}*+", 15
_ODD_PAIR = r"-\ ?\r?\n|<U\+|\b[bfru]{1,2}['\"]|''|`|\[[\d;]{0,20}[mK]|\((?:[cC]|tm|TM)\)|\{[A-Z]\}|[ÃÄÅ][‘’“”–—]"
# Whether a text may have any of them, in one pass: such a character or a bracket, or the first of a pair.
_ODD_AT_ALL = re.compile(r"[^\t\n\f\r !#$)-,.-;>-Z\]-_a-z|-~À-ÂÆ-ÿ‘’“”–—]"
                         r"(?:(?<=[^\"'({<ÃÄÅ-])|(?<=[bfru]['\"])|(?<=\{)[A-Z]\}|(?<=<)U\+|(?<=')'|(?<=-)\ ?\r?\n|"
                         r"(?<=\()(?:[cC]|tm|TM)\)|(?<=[ÃÄÅ])[‘’“”–—])")


def _spans(pattern: str, text: str) -> np.ndarray:
    """Return where a pattern is found in a text: start, end, start, end and so on."""
    return np.fromiter(itertools.chain.from_iterable(map(re.Match.span, re.finditer(pattern, text))), np.int64)


def _typecode(text: str) -> str:
    """Return the smallest of array's types that holds a place in the text."""
    return "I" if len(text) < 1 << 32 else "Q"


# Words after which a cell or paragraph begins: borders of tables, tags that end a block.
_ENDS_CELL = (r"[|¦│┃║‖｜<&!\\](?:(?<=[^<&!\\])|(?:(?<=\n!)|(?<=\s!!))(?=\s)|(?<=\\\\)(?=\s|\[\d)|"
              r"(?<=\s&)(?=\s[^\n]{0,256}\\\\(?:\s|\[\d))|"
              r"(?:(?<=<)|(?<=&)lt;)/?(?i:br|p|div|t[dhr]|li|h[1-6]|option)\b[^<>]{0,256}?(?:>|&gt;))")


def _kind(gap: str) -> int:
    """Return what a gap between two words is.

    A tab that indents a line ends nothing, nor do spaces. Two spaces are a line break: they part columns, but words of
    justified lines too.
    """
    while (read := decode(gap)) != gap:  # which may be escaped twice
        gap = read
    gap = re.sub(rf"[\ ]\x00++(?=[\ ])|{CONTROL}|[{INVISIBLE}]|\\(?=\s)", "", gap, flags=re.VERBOSE).replace("~", " ")
    if not gap:
        return NONE
    lines = re.split("\r*\n|\r|[\v\x85\u2028]", gap)
    if len(lines) > 2 or re.search("[\t\f\x1c-\x1f\u2029]", lines[0]) or re.search("[\f\x1c-\x1f\u2029]", lines[-1]):
        return PARAGRAPH
    if len(lines) == 2:
        return LINE
    return PARAGRAPH if len(gap) > 2 else LINE if len(gap) == 2 else SPACE


# Of short gaps, which are often the same.
_known_kind = functools.lru_cache(1024)(_kind)


def split_words(text: str) -> Words:
    """Return the words of a text; all is in one but white space and characters that nobody sees.

    Those that lie within a word are part of it, those at its edges are not. Punctuation stands alone, except within
    numbers, abbreviations, initials, addresses and hyphenated words; clitics ('s, n't) are words of their own.
    """
    bounds = array(_typecode(text))
    seen, unseen = without(text)
    plain, kind = seen, kind_of(seen)
    if kind == ALL and (plain := unstyled(seen)) is not seen:
        kind = kind_of(plain)
    # A mark that joins letters joins them with what nobody sees beside it too, and so do rules.
    squeezed, removed = (plain, []) if kind == PLAIN else without_within(plain)
    for match in _pattern(kind).finditer(squeezed):
        bounds.extend(match.span(1))
    while bounds and bounds[-1] == bounds[-2]:  # the end of the text
        del bounds[-2:]
    if removed:
        bounds = array(bounds.typecode, restored(np.asarray(bounds), removed).tolist())
    if ("\\" in seen or "[" in seen) and any(re.search(pattern, seen) for pattern in WRITTEN):
        seen, bounds, written = without_written(seen, bounds)
        unseen = sorted([*unseen, *written])
    if not unseen:
        return Words(text, bounds)
    starts, ends = bounds[::2], bounds[1::2]
    unread = [span for span in unseen if bisect_right(starts, span[0]) == bisect_right(ends, span[0])]
    return Words(text, sorted([*bounds, *itertools.chain.from_iterable(unread)]), read=Words(seen, bounds))


def join_words(words: Sequence[str], starts: Iterable[int] = ()) -> Words:
    """Return words that are already split as those of a text: themselves, joined by single spaces.

    starts: words with which a sentence begins, and so a paragraph.
    """
    breaks = bytearray([SPACE]) * len(words)
    for start in (0, *starts):
        breaks[start:start + 1] = bytes([PARAGRAPH])[:len(words) - start]
    text, end = " ".join(words), -1
    bounds = array(_typecode(text))
    for word in words:
        bounds.append(end + 1)
        end += 1 + len(word)
        bounds.append(end)
    return Words(text, bounds, bytes(breaks))
