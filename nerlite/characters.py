"""Which characters a text's words are made of, which nobody sees, and what stands for one: references and escapes."""

from __future__ import annotations

import functools
import itertools
import re
import unicodedata

# Cf and Cc, without white space and what begins a control sequence.
INVISIBLE = ("\\x00-\\x08\\x0e-\\x1a\\x7f-\\x84\\x86-\\x9a\\x9c-\\x9f\u00ad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891"
             "\u08e2\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb\U000110bd\U000110cd"
             "\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f")
# White space, but for the space itself.
ODD_SPACE = "\t-\r\x1c-\x1f\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
# ECMA-48's control sequences (colours and the like), and operating system commands (links, titles).
CONTROL = (r"(?:\x1b(?:\[[0-?]*+[\ -/]*+[@-~]|\][^\x07\x1b\n]*+(?:\x07|\x1b\\)|[()][0-9A-B]|[78=>])?"
           r"|\x9b(?:\d{1,3}(?:;\d{1,3}){0,4}m)?)")
# Scripts whose words are not parted by white space: Thai to Khmer, Hangul, kana, bopomofo, Han.
IDEOGRAPHS = ("\u0e00-\u0e3a\u0e40-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007"
               "\u3021-\u302f\u3031-\u3035\u303b\u303c\u3041-\u309f\u30a1-\u30fa\u30fc-\u31bf\u31f0-\u31ff\u3400-\u4dbf"
               "\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\uff66-\uffdc\U0001aff0-\U0001b2ff"
               "\U00020000-\U0003ffff")
# Letters and numbers that point to a note, or are a list's; those of formulas too where no capital is before them.
LETTERS_OF_NOTES = "ᵃᵇᶜᵈᵉ"
NOTES = f"¹²³⁰⁴-⁹₀-₉①-⒛⓪-⓿❶-➓{LETTERS_OF_NOTES}"
FORMULA = "(?:(?<=[A-Z)])|(?<=[A-Z][a-z]))[₀-₉]++"
# Scripts of the second plane, letters of mathematics, variation selectors.
_SCRIPTS = ("\U00010000-\U0001afef\U0001b300-\U0001cfff\U0001d400-\U0001d7ff\U0001df00-\U0001efff"
            "\U000e0100-\U000e01ef")
# Letters that Python does not call so.
_CIRCLED = "Ⓐ-ⓩ\U0001f130-\U0001f149"

# Scripts from right to left, whose prepositions and conjunctions stand before Latin names without white space.
_LEFTWARD = "\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc"
# Scripts of which no entity goes on in letters.
OTHER_SCRIPTS = f"{IDEOGRAPHS}{_LEFTWARD}"

# What stands for a character, as patterns for verbose mode. HTML's references may be escaped twice; UTF-8 is written
# in hexadecimal after \x (Python), % (addresses) or = (mail).
_BYTE = r"[89abAB][0-9A-Fa-f]"
# Letters' in two or three bytes, each behind a mark.
_TWO, _THREE = r"(?:[cC][3-9A-Fa-f]|[dD][0-9A-Fa-f])", r"[eE][0-13-9A-Da-d]"
_BYTES = " | ".join(f"{mark}(?:{_TWO}|{_THREE}{mark}{_BYTE}){mark}{_BYTE}" for mark in (r"\\x", "%", "="))
LETTER_REFERENCE = rf"""(?=[&\\%={{<])(?:
      &(?:amp;)?(?:[A-Za-z](?:acute|grave|circ|uml|tilde|cedil|ring|caron|slash|breve|macr|ogon|dot|dblac|strok)
        | (?:ae|AE|oe|OE|sz)lig | inodot | eth | ETH | thorn | THORN
        | \#0*+(?!215;|247;)(?:6[5-9]|[78]\d|9[07-9]|1[01]\d|12[0-2]|19[2-9]|[2-9]\d\d|[1-7]\d{{3}}|80\d\d|81[0-8]\d)
        | \#[xX]0*+(?![dDfF]7;)(?:
            [46][1-9A-Fa-f]|[57][0-9Aa]|[c-fC-F][0-9A-Fa-f]|[1-9A-Fa-f][0-9A-Fa-f]{{2}}|1[0-9A-Fa-f]{{3}}));
    | \\u00{_TWO}\\u00{_BYTE}
    | \\{{1,2}}u(?!00(?:[dDfF]7|[cC]2\\u00))(?:00[c-fC-F]|0[1-9A-Fa-f][0-9A-Fa-f]|1[0-9A-Fa-f]{{2}})[0-9A-Fa-f]
        (?!(?:\\u00{_BYTE}){{2}})
    | <U\+(?!00[DF]7)(?:00[C-F]|0[1-9A-F][0-9A-F]|1[0-9A-F]{{2}})[0-9A-F]>
    | \\3(?!42)(?:0[3-7]|[1-5][0-7])(?:\\2[0-7]{{2}}){{1,2}}
    | {_BYTES} | \\x(?![dDfF]7|[cC]2\\x)[c-fC-F][0-9A-Fa-f](?!(?:\\x{_BYTE}){{2}})
    | (?<=[A-Za-z])=[EF][0-9A-F](?=[a-z\s.,;:!?<)]|\Z)
    | \{{\\["'`^~=.][A-Za-z]\}} | \{{\\["'`^~=.cvuHk]\{{[A-Za-z]\}}\}} | \\["'`^~=.cvuHk]\{{[A-Za-z]\}}
    | \{{\\[cvuHk]\ [A-Za-z]\}} | \{{[A-Z]\}}(?=[a-z]) | \\'(?![df]7)(?:[c-f]\d|df|f[a-f])
    | (?<=[A-Za-z])\\["^~][aeiouyn] | \{{\\(?:ss|[oOlL]|a[ae]|A[AE]|oe|OE)\}})"""
SPACE_REFERENCE = r"""(?:&(?:amp;)?(?:nbsp|ensp|emsp|thinsp|zwnj|zwj|lrm|rlm|shy|Tab|NewLine
      | \#0*+(?:9|1[03]|32|160|173|819[2-9]|820[0-7]|823[2-9]|65279)
      | \#[xX]0*+(?:9|[aAdD]|20|[aA]0|[aA][dD]|200[0-9A-Fa-f]|202[89A-Fa-f]|[fF][eE][fF]{2}));
    | (?:\\u00[cC]2)?\\u(?:00[aA]0|200[0-9a-fA-F]|202[89fF]|3000|[fF][eE][fF]{2}) | (?:\\xc2)?\\x[aA]0
    | Â\xa0 | (?<=[A-Za-z])[%=]20(?=[A-Za-z]) | (?<=[A-Za-z])%20(?=\d) | (?<=\d)%20(?=[A-Z]) | =20(?=\r?\n)
      | [%=]C2[%=]A0 | (?:(?<![\d%])|(?<=%\d\d))%(?:0[9AD]|20)(?!\d))"""
# UTF-8 that was read as Windows' Latin. Of such a letter's two characters the first is a letter itself.
_SECOND = "[¡-ª¬®-º¼-¿€‚ƒ†‡ˆ‰Š‹ŒŽ•˜™š›œžŸ]|[«»„…‘’“”–—\x80-\x9f](?=[A-Za-z])"
_TORN = f"[ÃÄÅ](?:{_SECOND}|\xad(?=[A-Za-z]))|â€[“”˜™œ¢¦]?|â\x80\x99|Â[\xa0-¬®-¿]"
APOSTROPHE = (r"(?:['’ʼ]|â(?:€™|\x80\x99)|(?<=[A-Za-z])''(?=[A-Za-z])"
              r"|&(?:amp;)?(?:\#0*+39|\#[xX]27|apos|rsquo|\#8217|\#[xX]2019);"
              r"|\\u2019|\\u00e2\\u0080\\u0099|\\'(?!(?:[c-f]\d|df|f[a-f]))|\\xe2\\x80\\x99|\\342\\200\\231|<U\+2019>|[%=]E2[%=]80[%=]99|(?<=[A-Za-z])%27(?!\d))")
# What is written in its place.
LIKE_APOSTROPHE = "´`′＇"
REFERENCE = rf"""(?:&(?:amp;)?(?:[a-z]{{2,8}}\d{{0,2}}|\#\d{{1,7}}|\#[xX][0-9A-Fa-f]{{1,6}});
    | \\u[dD][89abAB][0-9A-Fa-f]{{2}}\\u[dD][c-fC-F][0-9A-Fa-f]{{2}}
    | \\u00(?:[eE]2|[fF]0\\u00{_BYTE})(?:\\u00{_BYTE}){{2}} | \\u[0-9A-Fa-f]{{4}}
    | \\x[eE][0-9a-fA-F](?:\\x{_BYTE}){{2}} | \\x[fF][0-4](?:\\x{_BYTE}){{3}} | \\x[0-9A-Fa-f]{{2}}
    | [%=]E2(?:[%=]{_BYTE}){{2}} | =(?:3D|2E) | \\[&%$\#_] | <U\+[0-9A-F]{{4,8}}>
    | â€[“”˜œ¢¦]? | Â[¡-¬®-¿]
    | (?:(?<![\d%])|(?<=%\d\d))%(?:[2357][A-F]|(?:2[1-9]|40)(?!\d)))"""
# What stands for a character that nobody sees, or where a word may be hyphenated.
UNSEEN_REFERENCE = r"""(?:&(?:amp;)?(?:shy|zwn?j|lrm|rlm|ZeroWidthSpace|NoBreak
      | \#0*+(?:173|820[3-7]|8288|65279) | \#[xX]0*+(?:[aA][dD]|200[b-fB-F]|2060|[fF][eE][fF]{2}));
    | \\u(?:00[aA][dD]|200[b-fB-F]|2060|[fF][eE][fF]{2}) | \\x[aA][dD]
    | [%=]C2[%=]AD | [%=]E2[%=]80[%=]8B | \\-(?=[a-z]))"""
_ANY_REFERENCE = f"(?x:{UNSEEN_REFERENCE}|{LETTER_REFERENCE}|{APOSTROPHE}|{SPACE_REFERENCE}|[%=]20|{REFERENCE}|{_TORN})"
_FIRST = frozenset("&\\%={<ÂÃÄÅâ")
_LATEX = {'"': "\u0308", "'": "\u0301", "`": "\u0300", "^": "\u0302", "~": "\u0303", "=": "\u0304", ".": "\u0307",
          "c": "\u0327", "v": "\u030c", "u": "\u0306", "H": "\u030b", "k": "\u0328"}
_LATEX_LETTERS = {"ss": "ß", "o": "ø", "O": "Ø", "l": "ł", "L": "Ł", "aa": "å", "AA": "Å", "ae": "æ", "AE": "Æ",
                  "oe": "œ", "OE": "Œ"}

# Letters and digits of full width and of mathematics, with the marks of words among the former; digits and letters that
# are symbols by what is on them.
_STYLED = "[\u2100-\u214f０-９Ａ-Ｚａ-ｚ．＆\U0001d400-\U0001d7ff]|[＇－＿](?=[Ａ-Ｚａ-ｚ])"
_KEYCAP = "[0-9#*](?=\ufe0f?\u20e3)|[ℹⓂ](?=\ufe0f)"
# Whether a text may have any of them.
_ODD_LETTER = "[\u20e3\u2100-\u214fⓂ０-９Ａ-Ｚａ-ｚ．＆－＿＇\U0001d400-\U0001d7ff]"

_UNSEEN = rf"[^\x08]\x08|[{INVISIBLE}\ufffe\x1b\x9b]+"


# Kinds of texts by the characters in them. Patterns for the first, most of newswire, know no references, escapes and
# controls, those for the second no scripts but Latin: they take less time to compile, and to go through a text.
PLAIN, LATIN, ALL = range(3)
_PLAIN_TEXT = re.compile(r"[A-Za-z0-9 \t\r\n.,;:!?()'\"$-]*+")
_LATIN_TEXT = "[\x00-\x7fÀ-ÖØ-öø-ɏ‘’“”„«»–—…•€£§°]*+"


def kind_of(text: str) -> int:
    """Return the first kind that a text is of."""
    return PLAIN if _PLAIN_TEXT.fullmatch(text) else LATIN if re.fullmatch(_LATIN_TEXT, text) else ALL


@functools.cache
def classes(kind: int) -> dict[str, str]:
    """Return what patterns name, for texts of a kind.

    word: letters, digits and what is written on them; alnum: those without accents; ideograph: letters of words that no
    white space parts; leftward: those of scripts from right to left; accent: what is written on a letter, or selects a
    symbol's look; mark: no letter or digit, but perhaps an accent or what nobody sees; letters: those of a word, as
    they are or what stands for one, whole or as UTF-8's bytes; reference: what stands for a letter; apostrophe: one, or
    what stands for it; seam: what may stand before what nobody sees, or for a letter; space: white space, and what is
    that to a reader.
    """
    own = {"word": "[A-Za-z0-9]", "alnum": "[A-Za-z0-9]", "ideograph": "(?!)", "leftward": "(?!)", "accent": "(?!)",
           "invisible": "(?!)", "mark": r"(?:[^\w\s]|_)", "letters": "<word>++", "reference": "(?!)", "seam": "(?!)",
           "space": r"\s++", "apostrophe": "(?:'|(?<=[A-Za-z])''(?=[A-Za-z]))"}
    if kind == PLAIN:
        return own
    letters = rf"<word>++|{LETTER_REFERENCE}|{FORMULA}|â(?![€\x80])|Â(?![\xa0-¬®-¿])|(?<=[ÃÄÅ])(?:{_SECOND})"
    own |= {"letters": letters, "reference": LETTER_REFERENCE, "seam": r"(?:<invisible>|[\x1b\x9b&\\%=])",
            "apostrophe": APOSTROPHE, "space": rf"(?:\s|<invisible>)++|{CONTROL}|{SPACE_REFERENCE}"}
    if kind == LATIN:
        return own | {"word": "[A-Za-z0-9ÀÁÃ-ÖØ-áã-öø-ɏ]", "alnum": "[A-Za-z0-9À-ÖØ-öø-ɏ]",
                      "invisible": r"[\x00-\x08\x0e-\x1a\x7f]"}
    accent, alnum, leftward = "", "", ""
    for first, last in ((0x80, 0x2e7f), (0x3000, 0x30ff), (0xa000, 0xabff), (0xf900, 0xffff)):
        chars = "".join(map(chr, range(first, last + 1)))
        others = re.sub(f"[{OTHER_SCRIPTS}{NOTES}Ââʼ]", " ", chars)
        accent += _ranges("".join("x" if unicodedata.category(char)[0] == "M" else " " for char in chars), first)
        alnum += _ranges(others, first)
        leftward += _ranges(re.sub(f"[^{_LEFTWARD}]", " ", chars), first)
    return own | {"word": f"[A-Za-z0-9{alnum}{accent}{_CIRCLED}{_SCRIPTS}]", "alnum": rf"[^\W_{IDEOGRAPHS}]",
                  "ideograph": f"[{IDEOGRAPHS}]", "leftward": f"[{leftward}{accent}]", "accent": f"[{accent}]",
                  "invisible": f"[{INVISIBLE}]"}


def _ranges(chars: str, first: int) -> str:
    """Return, as ranges of a class, where there are letters and digits; first: the code of the first character."""
    runs = re.finditer(r"[^\W_]+", chars)
    return "".join(f"\\u{first + run.start():04x}-\\u{first + run.end() - 1:04x}" for run in runs)


def unstyled(text: str) -> str:
    """Return a text of the same length in plain letters, as rules name them; what is a symbol is one of theirs."""
    if not re.search(_ODD_LETTER, text):
        return text
    return re.sub(_STYLED, _plain, re.sub(_KEYCAP, "□", text))


def _plain(match: re.Match[str]) -> str:
    """Return the character that one stands for, or itself where that is none, or many."""
    plain = unicodedata.normalize("NFKC", match[0])
    return plain if len(plain) == 1 and (plain in ".&'-_" or plain.isalnum()) else match[0]


def decode(text: str) -> str:
    """Return a text with what its references and escapes stand for."""
    return text if _FIRST.isdisjoint(text) else re.sub(_ANY_REFERENCE, _decoded, text)


def _decoded(match: re.Match[str]) -> str:
    reference = match[0]
    if reference == "\\-":
        return ""
    if reference.startswith("&"):
        import html  # its table of names takes 2 ms, which most texts do not need

        return html.unescape(reference)
    if re.fullmatch(r"\\?(?:\\u[0-9A-Fa-f]{4})+", reference):
        return bytes.fromhex(re.sub(r"\\+u", "", reference)).decode("utf-16-be", "surrogatepass")
    if code := re.fullmatch(r"\\'([c-f].)|<U\+0*([0-9A-F]{1,5})>", reference):
        return chr(int(code[1] or code[2], 16))
    if re.fullmatch(r"(?:\\\d{3})+", reference):
        return bytes(int(octal, 8) for octal in reference[1:].split("\\")).decode("utf-8", "replace")
    if reference.startswith(("\\x", "%", "=")):
        data = bytes.fromhex(re.sub(r"\\x|[%=]", "", reference))
        return data.decode("latin-1" if len(data) == 1 else "utf-8", "replace")
    if reference[0] in "ÂÃÄÅâ":
        data = b"".join(char.encode("latin-1" if char < "\u0100" else "cp1252") for char in reference)
        return data.decode("utf-8", "replace")
    letters = reference.strip("{}").lstrip("\\").replace("{", "").replace(" ", "")
    if letters in _LATEX_LETTERS or len(letters) == 1:
        return _LATEX_LETTERS.get(letters, letters)
    return unicodedata.normalize("NFC", letters[1:] + _LATEX[letters[0]])


def readable(text: str) -> str:
    """Return a text without what nobody sees, its characters for compatibility as those that they stand for.

    Full width, ligatures and letters of mathematics are; symbols and numbers of notes mean more than what is compatible
    with them, and stay. What a backspace erases, as terminals' bold type has it, goes.
    """
    text = re.sub(_UNSEEN, "", text)
    if unicodedata.is_normalized("NFKC", text):
        return text
    return "".join("".join(chars) if stays else unicodedata.normalize("NFKC", "".join(chars))
                   for stays, chars in itertools.groupby(text, _is_symbol))


def _is_symbol(char: str) -> bool:
    return char in LETTERS_OF_NOTES or (unicodedata.category(char) in ("So", "No")
                                        and not re.match(f"[{_CIRCLED}]", char))
