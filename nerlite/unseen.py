"""What is seen in a text but is white space to its reader: marks of quotations and comments, ties, mail's encoding.

A line that goes on with the mark of the line before (`> `, `# `, `// `) is the rest of that line's sentence, TeX ties
words with a tilde, and in words that mail encodes (RFC 2047) an underline is a space.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

Span = tuple[int, int]

# A quotation's mark, perhaps with its author's initials, or a comment's.
_MARK = r"(?P<mark>(?:[A-Za-z]{0,3}>[ \t]?)++|(?:\#++|//++|%++|;++)(?=\s|\Z))"
_FIRST, _OTHERS = re.compile(rf"[ \t]*+{_MARK}"), re.compile(rf"\n[ \t]*+{_MARK}")
TIE = r"(?<=[A-Za-z][A-Za-z.}])~(?=[A-Za-z\d\\{$])"
_ENCODED = re.compile(r"(=\?[A-Za-z0-9-]{2,20}\?[Qq]\?)([!->@-~]{0,200})(\?=)")
# Nobody sees it, and it parts nothing.
_NOTHING = "\x00"


def without(text: str) -> tuple[str, list[Span]]:
    """Return a text of the same length, white space for what is that to its reader; and where that was.

    Ties stay in the text, since in addresses they are none.
    """
    spans = [*_marks(text)] if "\n" in text else []
    blank = dict.fromkeys(spans, " ")
    for match in _ENCODED.finditer(text) if "=?" in text else ():
        blank |= {match.span(1): _NOTHING, match.span(3): _NOTHING}
        blank |= {(place, place + 1): " " for place in range(*match.span(2)) if text[place] == "_"}
    ties = [match.span() for match in re.finditer(TIE, text)] if "~" in text else []
    if not blank:
        return text, ties
    parts, last = [], 0
    for start, end in (spans := sorted(blank)):
        parts += [text[last:start], blank[start, end] * (end - start)]
        last = end
    return "".join([*parts, text[last:]]), sorted([*spans, *ties])


def _marks(text: str) -> Iterator[Span]:
    """Yield where lines begin with the mark of the line before."""
    before = _FIRST.match(text)
    for match in _OTHERS.finditer(text):
        if (before and text.find("\n", before.end()) == match.start()
                and "".join(before["mark"].split()) == "".join(match["mark"].split())):
            start, end = match.span("mark")
            yield start, end - (match["mark"][-1] in " \t")
        before = match
