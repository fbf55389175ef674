r"""What is seen in a text but is white space to its reader: marks of quotations and comments, ties, tags, encodings.

A line that goes on with the mark of the line before (`> `, `: `, `# `, `// `, `-- `), or a comment's star in C, is the
rest of that line's sentence, TeX ties words with a tilde, tags are no words (`</td>`, `<b class="x">`) unless
attributes are read (`<img alt="Rome">`), in words that mail encodes (RFC 2047) an underline is a space, and white
space, fonts and colours may be written out (`\n`, `\fB`, `\033[31m`), or torn (`Â `).
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator

import numpy as np

from nerlite.characters import INVISIBLE

Span = tuple[int, int]

# A quotation's mark, perhaps with its author's initials or a bar, or a comment's.
_MARK = r"(?P<mark>(?:(?:[A-Za-z]{1,3}|\|)?>[ \t]?)++|(?:\#++|//++|--|%++|;++|:)(?=\s|\Z))"
_FIRST_LINE, _OTHER_LINE = rf"[ \t]*+{_MARK}", rf"\n[ \t]*+{_MARK}"
# From C on: a comment, and whether it ends; the star that a line of it begins with.
_COMMENT, _STAR = r"(?m)^[ \t]*+/\*(?:[^*]++|\*(?!/))*+(\*/)?", r"\n[ \t]*+\*(?=\s)"
TIE = r"(?:(?<=[A-Za-z][A-Za-z.}])~(?=[A-Za-z\d\\{$])|(?<=[A-Za-z.])\\(?=[\ \r\n]))"
_ENCODED = r"(=\?[A-Za-z0-9-]{2,20}\?[Qq]\?)([!->@-~]{0,200})(\?=)"
_BLOCK = ("(?:address|article|aside|blockquote|body|br|caption|center|d[dlt]|div|fig(?:caption|ure)|footer|form|h[1-6]|"
          r"head|header|hr|html|li|main|nav|ol|option|p|pre|section|select|t(?:able|body|[dhr]|foot|head)|title|ul)")
# Subtitles' classes too.
_INLINE = (r"(?:abbr|[abiqsu]|big|c(?:\.\w{1,32}){0,4}|cite|code|del|em|font|img|ins|kbd|mark|nobr|small|span|strike|"
           "strong|su[bp]|tt|var|wbr)")
# Those that hold nothing for a reader, unlike alt or title.
_ATTRIBUTE = (r"\s{1,16}(?:class|id|style|href|src|srcset|rel|target|lang|dir|type|role|scope|width|height|v?align|"
              r"border|bgcolor|cell(?:padding|spacing)|(?:col|row)span|size|color|face|on[a-z]+|data-[\w-]+|item[a-z]+)"
              r"""=(?:3D)?(?:"[^"<>]{0,512}"|'[^'<>]{0,512}'|[\w#%./:;?&=+~-]{1,256}(?=[\s/>]))""")
_TAGS = rf"(?i:</?(?:{_BLOCK}|{_INLINE})(?:{_ATTRIBUTE}){{0,16}}[ \t]?/?>|<!\[CDATA\[|\]\]>)++"
_JOINS = "-'’ʼ.,&‐‑_"
_ENDS_BLOCK = rf"(?i:</?{_BLOCK}\b)"
# A link after a link, as menus have them.
_LINKS = r"(?i)</a>\s*<a[\s>]"
# Nobody sees it, and it parts nothing; what ends a paragraph.
_NOTHING, _PARAGRAPH = "\x00", "\f"
# What is written out behind a backslash, and what it is to a reader: white space, and troff's fonts, which are nothing.
_WRITTEN = {"n": "\n", "r": "\r", "t": "\t", "N": "\n", **dict.fromkeys(("fB", "fI", "fP", "fR"), ""),
            **dict.fromkeys(("par", "pard", "cell", "row"), "\f"), "line": "\n", "tab": "\t"}
# What is left of a no-break space in UTF-8 that was read as Latin-1, where that is a plain space.
_TORN = r"(?<![A-ZÀ-Þ])Â(?![\S\xa0])"
# What nobody sees, where letters go on behind it: beside a mark that joins them, or as a hyphen to be or a tie.
_SEAM = rf"\w.[{_JOINS}]|[{_JOINS}].\w|[^\W\d_][\u00ad\u2060\ufeff][^\W\d_]"
_COLOUR = r"\S{0,5}\[[\d;]*[mK]"
# Whether a text may have that, or a terminal's colours: two, since what begins with one character is found fast.
WRITTEN = r"\\(?:[nrtNf]|par|cell|line)", r"\[[\d;]*+[mK]"


def without(text: str) -> tuple[str, list[Span]]:
    """Return a text of the same length, white space for what is that to its reader; and where that was.

    Ties stay in the text, since in addresses they are none.
    """
    unseen = {(start, end): " " * (end - start) for start, end in (_marks(text) if "\n" in text else ())}
    if "\n" in text and "/*" in text:
        unseen |= dict.fromkeys(_stars(text), " ")
    if "=?" in text:
        for match in re.finditer(_ENCODED, text):
            unseen |= {match.span(1): _NOTHING, match.span(3): _NOTHING}
            unseen |= {(place, place + 1): " " for place in range(*match.span(2)) if text[place] == "_"}
    if "Â" in text:
        unseen |= dict.fromkeys(map(re.Match.span, re.finditer(_TORN, text)), _NOTHING)
    if "<" in text:
        # In capitals, what nothing closes is a ticker.
        closes = "</" in text
        unseen |= {match.span(): _space_for(match) for match in re.finditer(_TAGS, text)
                   if closes or "[" in match[0] or not match[0].isupper()}
    ties = [match.span() for match in re.finditer(TIE, text)] if "~" in text or "\\" in text else []
    if not unseen:
        return text, ties
    parts, last = list[str](), 0
    for start, end in (spans := sorted(unseen)):
        parts += text[last:start], unseen[start, end].ljust(end - start, _NOTHING)
        last = end
    return "".join([*parts, text[last:]]), sorted([*spans, *ties])


def without_within(text: str) -> tuple[str, list[Span]]:
    """Return a text without what nobody sees beside a mark that may join letters, and where that was."""
    parts, removed, last = list[str](), list[Span](), 0
    for match in re.finditer(f"[{INVISIBLE}][{INVISIBLE}]*+", text):
        start, end = match.span()
        if re.fullmatch(_SEAM, text[start - 1:start] + match[0][0] + text[end:end + 1]):
            parts.append(text[last:start])
            removed.append((start, end))
            last = end
    return ("".join([*parts, text[last:]]), removed) if removed else (text, removed)


def restored(bounds: np.ndarray, removed: list[Span]) -> np.ndarray:
    """Return where words are in a text, given where they are without what was removed: at no word's edges."""
    starts, ends = np.array(removed, np.int64).T
    lengths = np.append(0, np.cumsum(ends - starts))
    places = starts - lengths[:-1]
    whole = bounds.astype(np.int64)
    whole[::2] += lengths[np.searchsorted(places, bounds[::2], "right")]
    whole[1::2] += lengths[np.searchsorted(places, bounds[1::2], "left")]
    return whole


def without_written(text: str, bounds: array[int]) -> tuple[str, array[int], list[Span]]:
    """Return a text with what words of it stand for that are written out, the bounds of the others, where those were.

    Such words are no others than rules make them: a path may have the same characters.
    """
    read, written = array(bounds.typecode), list[Span]()
    parts, last = list[str](), 0
    for start, end in zip(bounds[::2], bounds[1::2], strict=True):
        word = text[start:end]
        space = _WRITTEN.get(word.lstrip("\\")) if word[0] == "\\" else None
        if space is None and not re.fullmatch(_COLOUR, word):
            read.extend((start, end))
        else:
            written.append((start, end))
            parts += text[last:start], (space or "").ljust(end - start, _NOTHING)
            last = end
    return "".join([*parts, text[last:]]), read, written


def _marks(text: str) -> Iterator[Span]:
    """Yield where lines begin with the mark of the line before."""
    before = re.match(_FIRST_LINE, text)
    for match in re.finditer(_OTHER_LINE, text):
        if (before and text.find("\n", before.end()) == match.start()
                and "".join(before["mark"].split()) == "".join(match["mark"].split())):
            start, end = match.span("mark")
            yield start, end - match["mark"].endswith((" ", "\t"))
        before = match


def _stars(text: str) -> Iterator[Span]:
    """Yield the stars with which lines of C's comments begin."""
    for comment in re.finditer(_COMMENT, text):
        if comment[1]:
            for match in re.finditer(_STAR, comment[0]):
                yield comment.start() + match.end() - 1, comment.start() + match.end()


def _space_for(tags: re.Match[str]) -> str:
    """Return what tags are to a reader: the end of a paragraph, or a space where there is none beside them."""
    if re.search(_ENDS_BLOCK, tags[0]) or re.search(_LINKS, tags[0] + tags.string[tags.end():tags.end() + 8]):
        return _PARAGRAPH
    if tags[0].lower() in ("<wbr>", "<wbr/>", "<wbr />"):  # where a long word may be broken
        return _NOTHING
    start, end = tags.span()
    beside = tags.string[max(0, start - 1):start] + tags.string[end:end + 1]
    return _NOTHING if re.search(r"\s", beside) else " "
