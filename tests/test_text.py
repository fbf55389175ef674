"""The word splitter: nothing but white space and invisible characters is lost; what lies between words; their forms."""

import itertools
import re
import sys
import time
import tracemalloc
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nerlite.characters import ALL, INVISIBLE, LATIN, ODD_SPACE, PLAIN, kind_of
from nerlite.forms import can_bound, form
from nerlite.text import LINE, NONE, PARAGRAPH, RULES, SPACE, Words, _pattern, join_words, split_words
from nerlite.unseen import WRITTEN, without


@pytest.mark.parametrize("rule", RULES, ids=[rule.name for rule in RULES])
def test_each_rule_has_an_example(rule):
    assert " ".join(split_words(rule.text)) == rule.words


@pytest.mark.parametrize(("text", "words"), [
    ("My name is John!", "My name is John !"),
    ("A U.N. envoy flies to Oslo on Monday.", "A U.N. envoy flies to Oslo on Monday ."),
    ("the U.S.-led force", "the U.S.-led force"),
    ("Spain's police don't say they'll go", "Spain 's police do n't say they 'll go"),
    ("It’s O’Brien’s", "It ’s O’Brien ’s"),
    ("J. Smith of Acme Corp. (Italy)", "J. Smith of Acme Corp. ( Italy )"),
    ("1,000,000 at 3.14% in 1996/97", "1,000,000 at 3.14 % in 1996/97"),
    ("Mer¬\nkel, 2Kyoto University", "Mer¬\nkel , 2 Kyoto University"),
    (r"Ada\xe2\x80\x99s \xf0\x9f\x98\x80, Ada\u00e2\u0080\u0099s \u00e2\u0080\u009c",
     r"Ada \xe2\x80\x99s \xf0\x9f\x98\x80 , Ada \u00e2\u0080\u0099s \u00e2\u0080\u009c"),
    ("Rome2 BER-\nLIN Mos- \ncow", "Rome 2 BER-\nLIN Mos- \ncow"),
    ("b'Ada' or u\"Eve\" f'x", "b' Ada ' or u\" Eve \" f'x"),
    ("US$5.50 or $3", "US$ 5.50 or $ 3"),
    ("S&P and Inzamam-ul-Haq", "S&P and Inzamam-ul-Haq"),
    (r"Oslo's&nbsp;mayor said 'it's\n'", r"Oslo 's mayor said ' it 's \n '"),
    ("'S. Waugh', 'M. Hill' (SPAIN 'S)", "' S. Waugh ' , ' M. Hill ' ( SPAIN 'S )"),
    ("Vitamin D.He met B.Obama", "Vitamin D . He met B. Obama"),
    ("Paris1️⃣ 1️⃣Paris ℹ️Oslo", "Paris 1️⃣ 1️⃣ Paris ℹ️ Oslo"),
    ("Ｄｒ．Ｏ＇Ｎｅｉｌ＇ｓ Ｕ．Ｓ．, 𝐀𝐝𝐚'𝐬 ﬁ", "Ｄｒ． Ｏ＇Ｎｅｉｌ ＇ｓ Ｕ．Ｓ． , 𝐀𝐝𝐚 '𝐬 ﬁ"),
    ("Ａ－Ｂ Ａ＿Ｂ A－B", "Ａ－Ｂ Ａ＿Ｂ A － B"),
    ("[31m1963 by ~~A~~/~~B~~/~~C~~", "[31m 1963 by ~~ A ~~ / ~~ B ~~ / ~~ C ~~"),
    ("5%20Oslo in%202019 up=20\nto 5%20d", "5 Oslo in 2019 up to 5 % 20d"),
    ("He left. Then -- ... ?!", "He left . Then -- ... ? !"),
    ("1. Mansell\n2. Prost won in 1992.", "1. Mansell 2. Prost won in 1992 ."),
    ("see https://example.org/a?b=c, or write: me@a.org.", "see https://example.org/a?b=c , or write : me@a.org ."),
    ("â€œJosÃ©â€\x9d, Osloâ\x80\x99s MartÃ\xadn‡ Ã–zilâ€™s LÃ«sÂ\xa0Â£5",
     "â€œ JosÃ© â€ , Oslo â\x80\x99s MartÃ\xadn ‡ Ã–zil â€™s LÃ«s Â£ 5"),
    ("«AMANH\xc3\xbb château Âge", "« AMANH\xc3 » château Âge"),
    ("Al\u2060-\u2060Din, AT\u2060&\u2060T's 3.\u200b1 U.\u200bS. \u200bCor\u00adp. O\u200b’Brien\u200b, don\u00ad't",
     "Al\u2060-\u2060Din , AT\u2060&\u2060T 's 3.\u200b1 U.\u200bS. Cor\u00adp. O\u200b’Brien , do n\u00ad't"),
    (r"Bob \& Eve's 50\% of Tim\_Roe", r"Bob \& Eve 's 50 \% of Tim\_Roe"),
    ("https://x.org/a\u200bAda", "https://x.org/a Ada"),
    ("Merkel\ufffds, \ufffdRome\ufffd, M\ufffd\ufffdnchen", "Merkel \ufffds , \ufffd Rome \ufffd , M\ufffd\ufffdnchen"),
    ("e\u0301te\u0301 नमस्ते", "e\u0301te\u0301 नमस्ते"),
    ("", ""),
    (" \n\t\u3000", ""),
])
def test_splits(text, words):
    assert " ".join(split_words(text)) == words


def _is_seen(char):
    return not char.isspace() and unicodedata.category(char) not in ("Cf", "Cc")


@given(st.text() | st.text("Ab1n't.,-&\u00ad\u200b\u2060\u202a \n"))
def test_everything_that_is_seen_is_in_a_word(text):
    words = split_words(text)
    assert [text[start:end] for start, end in words.offsets] == words[:] == list(words)
    assert list(words.bounds) == sorted(words.bounds)
    assert all(words)
    assert "".join(filter(_is_seen, "".join(words))) == "".join(filter(_is_seen, text))
    assert set(words.read.offsets) <= set(words.offsets)
    assert all(_is_seen(word[0]) and _is_seen(word[-1]) for word in words)
    assert words[::-2] == words[:][::-2]
    assert len(words.breaks) == len(words)


# Texts of what markup, terminals and encodings write.
PIECES = st.lists(st.sampled_from([
    "Ber", "lin", "M", "é", "中", " ", "\n", "\t", "-", "'s", ".", "...", "_", "&", "&amp;", "&uuml;", "&nbsp;",
    "&shy;", "&#39;", "\\u00fc", "\\n", "\\", "%20", "%C3%BC", "=", "{\\\"o}", "\x1b[31m", "\\033[0m", "\u00ad",
    "\u200d", "\ufe0f", "\u0301", "❤", "1", "²", "|", "https://x.org/", "a@b.org", "<br>", "Ａ", "ﬁ",
    "9e107d9d372bb6826bd81d3542a419d6", "\b", "> ", "\n> ", "# ", "<b>", "</td>", "<td id=", "'", "~",
    "=?a?q?", "?=", "₁", "$", "!", "\"R\"", "\x00", "[0m", "-\n", "''", "`", "´", "’", "ж", "ʼ", "%22", "Ã",
    "©", "â€", "™", "Â", "(c)", "–z", "א", "a1B&" * 11])).map("".join)


@given(st.text() | PIECES)
def test_a_form_is_its_own_form(text):
    words = split_words(text)
    for word in (text, *words):
        assert form(form(word)) == form(word)
    assert words.read.text == without(text)[0] or re.search("|".join(WRITTEN), text)
    assert len(words.read.text) == len(text)
    assert list(words.read.forms) == words.read.forms[:] == list(map(form, words.read))


EVERY_CHAR = "".join(map(chr, range(sys.maxunicode + 1)))


def test_nobody_sees_what_unicode_calls_format_or_control():
    seen = re.compile(f"[^{INVISIBLE}\x1b\x9b\\s]")
    assert not [char for char in EVERY_CHAR if seen.match(char) is None and _is_seen(char)
                and unicodedata.category(char) != "Cn"]
    assert not [char for char in EVERY_CHAR if seen.match(char) and not _is_seen(char)]


def test_white_space_is_what_python_calls_so():
    assert re.findall(f"[ {ODD_SPACE}]", EVERY_CHAR) == re.findall(r"\s", EVERY_CHAR)


@pytest.mark.parametrize("category", ["Cf", "Cc", "Mn", "Mc", "Me", "So", "Sk", "Sm", "Sc", "Po", "Pd", "Ps", "Pf"])
def test_every_character_of_a_category_is_split_as_the_others(category):
    chars = [char for char in map(chr, range(0x10000)) if unicodedata.category(char) == category
             and not char.isspace()
             and not re.match("[$~&'.@’‐‑_·Ⓐ-ⓩ\ufffd-]|[\u0e00-\u109f\u1780-\u17ff\u3000-\u30ff]", char)]
    joins = category[0] in "CM"
    assert [char for char in chars if len(split_words(f"Wash{char}ington")) != (1 if joins else 3)] == []
    assert [char for char in chars if split_words(f"{char}Paris {char}")[:][category[0] != "C"] != "Paris"] == []


# What rules begin, join and end with; the first sixteen in pairs too.
UNITS = [
    "a", "A", "1", ".", "-", "'", "&", "/", "@", "_", ",", "\\", "=", "(", "\u0301", "\x1b",
    "n't", "'s",
    "A. ", "a.b/", "www.", "http://", "v1.2", "1.2.", "No.", "Dr.", "U.S", "a@b.", "A&", "$", "[", "<p", "|",
    "&amp;", "&#0", "&#x0", "&uuml;", "&nbsp", "\\u00", "\\xc3", "%C3", "{\\\"", "\\n", "aB1", "VGhl",
    "\t", "\n", "  ", "-\n", "a-\n", "=\n", "\x1b[", "\x1b[0", "\x1b]", "\x9b1", "\u00ad", "\u200b", "\u200d",
    "\n>", "\n# ", "<b id=", "<b id=\"", "<b id=1 ", "ab~", "<b>", "</td ", "a<p>", "\\ab ", "ab ", "ab:", "\\ref{",
    "=?aa?q?a", "C:" "\\a", "\\\\a\\", "/a", "a b\\", "VGhl" * 15 + "\n", "Ab\"", "''", "Aa1,",
    "❤", "❤\ufe0f", "👨\u200d", "🏽", "🇩", "中", "²", "①", "Ⓑ", "é-",
    "â", "Ã", "Ã¼", "â€™s", "Â\xa0",
    "א", "א'", "a1B&", "a1B&" * 9 + "+", "M5&A", "%22", "a-str. ", "Mr", "Inc.a", "°C",
    "\u2060-", "a\u2060", "a\u2060-", "a & ", "\\\\ ", "/*", "\n/*", "\n * ", "/**/\n *", "a\ufffd", "@ab{", "{A}",
    "<U+", "a<br/>", "]]><", "\\xa0", "a\\-", "\\u200b", "a\\ ", "&amp;shy;", "</a>", "Â ", "b'A", "\\par",
    "non-", "\\'f"]


def seconds_for(text):
    started = time.process_time()
    words = split_words(text)
    assert len(words.read.breaks) == len(words.read.forms)
    return time.process_time() - started


@pytest.mark.parametrize("unit", [*UNITS, *map("".join, itertools.permutations(UNITS[:16], 2))])
def test_time_is_linear_in_hostile_text(unit):
    assert seconds_for(unit * (20_000 // len(unit))) < 1


@pytest.mark.parametrize("unit", UNITS)
def test_four_times_the_text_takes_not_eight_times_the_time(unit):
    some = min(seconds_for(unit * (30_000 // len(unit))) for _ in range(2))
    assert seconds_for(unit * (120_000 // len(unit))) < 8 * some + 0.5


@pytest.mark.parametrize("kind", [PLAIN, LATIN])
@given(st.data())
def test_texts_of_a_kind_are_split_as_all_are(kind, data):
    words = [word for rule in RULES for word in (*rule.text.split(), f"{rule.text} ")]
    parts = [part for part in (" ", *UNITS, *words) if kind_of(part) <= kind]
    chars = [char for char in map(chr, range(0x2100)) if kind_of(char) <= kind]
    text = data.draw(st.text(st.sampled_from(chars)) | st.lists(st.sampled_from(parts)).map("".join))
    assert kind_of(text) <= kind
    of_kind, of_all = (_pattern(each).finditer(text) for each in (kind, ALL))
    assert [match.span(1) for match in of_kind] == [match.span(1) for match in of_all]


KINDS = {NONE: "", SPACE: " ", LINE: "/", PARAGRAPH: "#"}


@pytest.mark.parametrize(("text", "shown"), [
    ("New York,\nParis.", "#New York,/Paris."),
    ("New\r\nYork\rParis", "#New/York/Paris"),
    ("a\n\nb\r\n\r\nc\n \t\nd\n\n\ne", "#a#b#c#d#e"),
    ("a\tb\fc\x1fd\u2029e", "#a#b#c#d#e"),
    ("a\n\tb\n    c\t\nd", "#a/b/c#d"),
    ("a  b   c", "#a/b#c"),
    ("%22a%22%20b%0Ac 5%20d", "#%22a%22 b/c 5%20d"),
    ("a\xa0b&nbsp;c&#10;d \u200b e \x1b[0m f", "#a b c/d/e/f"),
    ("|a|b |\n| c｜d", "#|#a|#b |#|#c｜#d"),
    ("Paris<br>Rome <td title='x'>Oslo", "#Paris#Rome <td title='x'>#Oslo"),
    ("a\n! b !! c! !d", "#a/!#b !!#c! !d"),
    ("Ada & Oslo \\\\\nBob & Rome \\\\[2pt]\na & b", "#Ada &#Oslo \\\\#Bob &#Rome \\\\#[2pt]/a & b"),
    (r"a \\[b] & c", r"#a \\[b] & c"),
    ("Paris&lt;br/&gt;Rome", "#Paris&lt;br/&gt;#Rome"),
    ("", ""),
])
def test_breaks(text, shown):
    words = split_words(text)
    assert "".join(KINDS[kind] + word for word, kind in zip(words.read, words.read.breaks, strict=True)) == shown


@given(st.text("Abc ~.|") | st.text() | PIECES)
def test_breaks_do_not_depend_on_what_is_elsewhere(text):
    words = split_words(text).read
    assert Words(words.text + "\n", words.bounds).breaks == words.breaks


@pytest.mark.parametrize(("text", "shown", "unread"), [
    ("> New\n> York", "#> New/York", ">"),
    (">> New\n> York\n>York", "#>> New/> York/York", ">"),
    ("# in Wash-\n# ington\n#\n# Oslo", "## in Washington#Oslo", "##"),
    ("// New\n//\n  // York", "#// New#York", "////"),
    (": New\n: York\n:Oslo", "#: New/York/:Oslo", ":"),
    ("JD> New\nJD> York", "#JD> New/York", "JD>"),
    ("|> New\n|> York", "#|#> New/York", "|>"),
    ("#New\n#York", "##New/#York", ""),
    ("<a>Ada</a> <a href='x'>Bob</a><a>Eve</a> and <a>Al</a>", "#Ada#Bob#Eve and Al",
     "<a></a><ahref='x'></a><a></a><a></a>"),
    ("- New\n- York", "#- New/- York", ""),
    ("/** New\n  * York\n *\n * Rome\n */\n * a", "#/** New/York#Rome/*//* a", "***"),
    ("a /* b\n * c */\n/* b\n * c", "#a /* b/* c *///* b/* c", ""),
    ("Tim~Cook, Dr.~No, ~5 a~b", "#Tim Cook, Dr. No, ~5 a~b", "~~"),
    ("https://x.org/ab~cd", "#https://x.org/ab~cd", ""),
    ("<li><B>Ada</B></li><li><i>Bob</i>, <b>Eve</b>'s</li>", "#Ada#Bob , Eve 's",
     "<li><B></B></li><li><i></i><b></b></li>"),
    ("Ada <b> Bob </b></i> Eve", "#Ada Bob Eve", "<b></b></i>"),
    ("<alice> hi <b title='x'>bob</b>", "#<alice> hi <b title='x'>bob", "</b>"),
    ('<td id=1\n class="a b">Bob</td>', "#Bob", '<tdid=1class="ab"></td>'),
    ('<a href="/b?c=d&amp;e">Bob</a>, <img src=e.png />Eve', "#Bob , Eve", '<ahref="/b?c=d&amp;e"></a><imgsrc=e.png/>'),
    ("=?UTF-8?Q?Gerd_M=C3=BCller?= <a@b.de>", "#Gerd Müller <a@b.de>", "=?UTF-8?Q?_?="),
    ("-- New\n-- York", "#-- New/York", "--"),
    ("Micro<wbr>soft<sup>1</sup> <c.a.b>Ada</c>", "#Microsoft 1 Ada", "<sup></sup><c.a.b></c>"),
    ("New\\nYork,\\n\\nAda\\r\\nBob\\tEve in c:" "\\new", "#New/York,#Ada/Bob#Eve in c:" "\\new", r"\n\n\n\r\n\t"),
    ("<p class=3D\"x\">Bob</p>Ber=\nlin=2E", "#Bob#Berlin.", '<pclass=3D"x"></p>'),
    (r"New\ York of\u00a0Bob\xa0é Zo\xeb\xa0Roe&amp;nbsp;Al", "#New York of Bob é Zoë Roe Al", "\\"),
    ("// Ber-\n// lin, New\\\nYork a<wbr/>b", "#// Berlin, New/York ab", "\\"),
    ("AdaÂ Roe Â Bob AMANHÂ É", "#Ada Roe Bob AMANHÂ É", "ÂÂ"),
    ("<![CDATA[Ada]]>", "#Ada", "<![CDATA[]]>"),
    (r"\\nAda\\nBob Eve\newline Al\item Di", r"#Ada/Bob Eve Al Di", r"\\n\\n"),
    (r"Ada\par Bob\cell Eve\line Al\tab Di c\parallel", "#Ada#Bob#Eve/Al#Di c\\parallel", r"\par\cell\line\tab"),
    ("\x1b7Ada\x1b8", "#Ada", ""),
    (r"\fBAda\fR is \e[31mEve\033[0m's", "#Ada is Eve's", r"\fB\fR\e[31m\033[0m"),
])
def test_what_is_white_space_to_a_reader(text, shown, unread):
    words = split_words(text)
    assert "".join(KINDS[kind] + word for word, kind in zip(words.read.forms, words.read.breaks, strict=True)) == shown
    read = set(words.read.offsets)
    others = [word for word, place in zip(words, words.offsets, strict=True) if place not in read]
    assert "".join("".join(others).split()) == unread


def test_joined_words_have_spaces_between_them_and_paragraphs_where_sentences_start():
    joined = join_words(["New", "York", "", "is", "big"], starts=[0, 3])
    assert (joined.text, joined[:]) == ("New York  is big", ["New", "York", "", "is", "big"])
    assert list(joined.breaks) == [PARAGRAPH, SPACE, SPACE, PARAGRAPH, SPACE]
    assert (list(join_words([])), join_words([]).breaks) == ([], b"")


@pytest.mark.parametrize(("word", "expected"), [
    ("Berlin", "Berlin"), ("U.S.", "U.S."), ("well-known", "well-known"), ("https://x.org/" + "a1" * 50,) * 2,
    ("M&uuml;ller", "Müller"), ("&amp;quot;", '"'), ("M\\u00fcller", "Müller"), ("AT&amp;T", "AT&T"),
    ("Micro\u00adsoft", "Microsoft"), ("Wash-\nington", "Washington"), ("Franco-\nGerman", "Franco-German"),
    ("U.S.-\nled", "U.S.-led"),
    ("Berlin-\r\n  based", "Berlin-based"), ("Mer¬\nkel", "Merkel"),
    ("Ｂｅｒｌｉｎ", "Berlin"), ("𝐁𝐞𝐫𝐥𝐢𝐧", "Berlin"), ("Ⓑⓔⓡⓛⓘⓝ", "Berlin"), ("oﬃce", "office"), ("™", "™"), ("½", "½"),
    ("M\\xc3\\xbcller", "Müller"), ("M%C3%BCller", "Müller"), ("G{\\\"o}del", "Gödel"), ("Erd{\\H{o}}s", "Erdős"),
    ("O\\'Brien", "O'Brien"), ("&#39;s", "'s"), ("\\ud83d\\ude00", "😀"), ("B\bBe\ber\br", "Ber"), ("\\033[31m", ""),
    ("%22", '"'), ("ʼs", "'s"), ("deadbeefcafebabe", ""), ("M" + "5&AE('%U" * 7 + "9#`A", ""),
    ("JosÃ©", "José"), ("MÃ¼ller", "Müller"), ("MartÃ\xadn", "Martín"), ("KoÅ¡ice", "Košice"), ("â€™s", "’s"),
    ("Ã–zil", "Özil"), ("â€œ", "“"), ("Â£", "£"), ("Âge", "Âge"), ("AÃ»", "AÃ»"),
    ("~9Yan8BZ+C7WW^Z^PYISXJb0BYaWpW^NXk{R5VS0HW@x", ""),
    ("48 65 6c 6c 6f 20 57 6f", ""), ("b6:89:3d:09:ac:fe", ""), ("bmQgdGhlbiBBbmdlbGEg", ""), ("\\begin{itemize}", ""),
    ("\\item", ""), ("\\fs24", ""), ("O''Brien", "O'Brien"), ("''s", "'s"), ("´s", "'s"), ("O`Brien", "O'Brien"),
    ("M\\'fcller", "Müller"), ("Ren\\'e", "Ren'e"), ("Erd{\\H o}s", "Erdős"), ("{B}erlin", "Berlin"), ("=2E", "."),
    ("Ber&#8203;lin", "Berlin"), ("&#66;e&#x72;lin", "Berlin"), ("M<U+00FC>ller", "Müller"), ("<U+0001F600>", "😀"),
    ("M\\303\\274ller", "Müller"), ("<U+2019>s", "’s"), ("\\342\\200\\231s", "’s"), ("AT\\&T", "AT&T"), ("b'", "'"),
    ("M\\u00c3\\u00bcller", "Müller"), ("BER-\nLIN", "BERLIN"), ("Micro\\-soft", "Microsoft"),
    ("Ber&#xAD;lin", "Berlin"), ("Ber\\u200blin", "Berlin"), ("Ber\ufffelin", "Berlin"), ("Citt\\xc3\\xa0", "Città"),
    ("Mos- \ncow", "Moscow"), ("Gen=\r\n=C3=A8ve", "Genève"), ("K=C3=B6=\nln", "Köln"), ("AKIAIOSFODNN7EXAMPLE", ""),
    ("(C)", "©"), ("(tm)", "™"), ("=?a?b?eHg=?=", ""), ("J=FCrgen", "Jürgen"),
    ("VGhlIHF1aWNrIGJyb3duIGZveCBqdW1wcyBv", ""), ("9e107d9d372bb6826bd81d3542a419d6", ""), ("\\n", ""),
])
def test_forms(word, expected):
    assert form(word) == expected


def test_an_entity_is_bounded_by_letters_or_digits_and_by_no_address():
    assert all(can_bound(form(word)) for word in ["Jr.", "U.S.", "7", "Amazon.com", "Node.js", "'s", "M&uuml;ller",
                                                "北京", "Ｂ", "New_York", "Angela_Merkel", "S_1", "iPhone5S32GB"])
    assert not any(can_bound(form(word)) for word in ["!", "😀", "&quot;", "²", "1️⃣", "_", "---", "|", "\\n", "①", "ℹ️",
                                                    "https://x.org/Paris", "www.x.org", "ada@x.org", "ada.jpg", "(c)",
                                                    "lgamma_r", "ᵃ", "/usr/Ada", "~/ada/Eve", "â€", "src/ada.py",
                                                    "unicode-widths.h", "b'", "dQw4w9WgXcQ", "SN-4X7QK-9M2PL", "s3://x/Ada",
                                                    "@book{Ada1"])


@pytest.mark.parametrize("unit", ["a-", "é-", "a.", "A.", "1,", "don't", "-a", ".5", "a&b", "A&", "A&amp;", "!", "日",
                                  "\U0001f600", "a ", "http://a.b/", "U.S.-", "x.y@a.b", "'s", "a@b.c.d.", "1.2.3.",
                                  "א-", "a1B&"])
def test_a_long_text_takes_memory_for_its_words_alone(unit):
    text = unit * (100_000 // len(unit))
    split_words(text[:1000])  # compiles the pattern
    tracemalloc.start()
    try:
        split_words(text)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 12 * len(text)


@pytest.mark.parametrize("unit", ["a", "é", "日", "a\u0301", "\u0301", "\u00a0", "\u200b", "\u00a0\u200b", "a\u00ad",
                                  "\U0001f468\u200d", "a-\n", "ﬁ"])
def test_what_is_read_of_one_long_word_or_gap_takes_memory_of_a_small_factor(unit):
    text = "A " + unit * (200_000 // len(unit)) + " B"
    words = split_words(text)
    _ = split_words("a\u0301 \u200bb").forms, split_words("a\u00a0b").breaks
    tracemalloc.start()
    try:
        _ = words.forms, words.breaks
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 30 * len(text)
