"""What people see: everything of a text is there and stays text, and colours can be told from each other."""

import base64
import hashlib
import itertools
import json
import re
import shutil
import subprocess
import unicodedata
from array import array
from html import unescape
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nerlite import html
from nerlite.document import Document, Entity
from nerlite.html import COLOURS, DARK_INK, DARK_PAPER, INK, PAPER, Palette, fragment
from nerlite.page import SCRIPT, Page

HOSTILE = ["<script>document.title = 'owned'</script>", '"><img src=x onerror=alert(1)>', "' onmouseover='alert(1)",
           "</div></article></main><b>", "<!--", "&lt;&amp;&#60;", "]]></style>", "\0\x1b\ud800\ufffe", "\u202eabc",
           "\r\n"]
# What each screen shows: seen by people of normal sight and, after Machado, Oliveira and Fernandes 2009, of none for
# red, for green or for blue; matrices of linear sRGB.
SIGHTS = {
    "normal": np.eye(3),
    "protanopia": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                            [-0.003882, -0.048116, 1.051998]]),
    "deuteranopia": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                              [-0.011820, 0.042940, 0.968881]]),
    "tritanopia": np.array([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                            [0.004733, 0.691367, 0.303900]]),
}


class Reader(HTMLParser):
    """What a browser makes of a page: its elements with their attributes, and the text of each place."""

    def __init__(self, page):
        super().__init__()
        self.elements, self.texts, self.data, self._open = [], {}, [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in {"meta", "input"}:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.texts.setdefault(" ".join(self._open), []).append(data)
        self.data.append((" ".join(self._open), data))

    def handle_comment(self, data):
        pytest.fail(f"a comment: {data}")


def document_of(parts):
    """A document of alternating plain text and (name, label)."""
    text, entities = "", []
    for part in parts:
        if isinstance(part, tuple):
            entities.append(Entity(part[0], part[1], len(text), len(text) + len(part[0]), 0.5))
            part = part[0]
        text += part
    return Document(text, array("I"), entities)


def page_of(*documents, title="title", where="where"):
    page = Page(title)
    return page.head() + "".join(page.article(document, where) for document in documents) + page.tail()


def speakable(text):
    """The text as HTML can say it: controls, surrogates and noncharacters are replaced."""
    return "".join("\ufffd" if (unicodedata.category(each) in {"Cc", "Cs"} and each not in "\t\n\r")
                   or "\ufdd0" <= each <= "\ufdef" or each in "\ufffe\uffff" else each for each in text)


texts = st.text(max_size=4) | st.sampled_from(HOSTILE)


@given(st.lists(texts | st.tuples(texts.filter(bool), texts)), texts, texts)
@example([*HOSTILE, *((text, text) for text in HOSTILE)], HOSTILE[0], HOSTILE[1])
def test_whatever_a_text_holds_stays_text(parts, title, where):
    document = document_of(parts)
    plain = Reader(page_of(document_of([("x", "X")] * bool(document.entities))))
    page = Reader(page_of(document, title=title, where=where))
    n_labels = len({speakable(entity.label) for entity in document.entities})
    for tag in {tag for tag, _ in page.elements}:
        found = [attributes for each, attributes in page.elements if each == tag]
        expected = [attributes for each, attributes in plain.elements if each == tag]
        if tag not in {"mark", "small", "li", "label", "input", "b"}:
            assert len(found) == len(expected), tag
        assert {frozenset(each) for each in found} == {frozenset(each) for each in expected}, tag
    inside = "html body main article div"
    assert "".join(data for place, data in page.data if place in {inside, f"{inside} mark"}) == speakable(document.text)
    assert page.texts.get(f"{inside} mark", []) == [speakable(entity.text) for entity in document.entities]
    assert [each["data-label"] for tag, each in page.elements if tag == "mark"] == [
        speakable(entity.label) for entity in document.entities]
    assert "".join(page.texts.get("html body main article h2", [])) == speakable(where)
    assert "".join(page.texts.get("html head title", [])) == speakable(title)
    assert sum(tag == "li" for tag, _ in page.elements) >= n_labels
    assert page.texts["html body script"] == [SCRIPT]

    cell = Reader(fragment(document))
    assert {tag for tag, _ in cell.elements} <= {"div", "mark", "small"}
    assert cell.texts.get("div mark", []) == [speakable(entity.text) for entity in document.entities]


def test_the_page_needs_nothing_but_itself():
    page = page_of(document_of(["In ", ("Berlin", "LOC")]))
    assert not re.search(r"https?:|//|url\(|@import|src=|href=", page.replace(SCRIPT, ""))
    assert not re.search(r"fetch|XMLHttp|WebSocket|import\(|https?:|innerHTML|eval", SCRIPT)
    policy = re.search('Security-Policy" content="([^"]*)"', page)[1]
    assert policy.startswith("default-src 'none'; ")
    for element in ("style", "script"):
        code = re.search(f"<{element}>(.*?)</{element}>", page, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
        assert f"{element}-src 'sha256-{digest}'" in policy
    assert len(re.findall("<script", page)) == 1


def test_the_legend_counts():
    people, place = document_of([("Ann", "PER"), " ", ("Bo", "PER")]), document_of([("Rome", "LOC")])
    page = Reader(page_of(place, people, document_of([])))
    assert page.texts["html body header ul li label b"] == ["2", "1"]
    assert page.texts["html body header p"] == ["3 texts, 3 names"]
    assert Reader(page_of()).texts["html body header p"] == ["0 texts, 0 names"]


def test_scores_and_places_show_on_hover():
    page = page_of(document_of(["In ", ("Berlin", "LOC")]))
    assert 'title="LOC, score 0.5000, characters 3 to 9"' in page
    assert 'title="LOC, score 0.5000, characters 3 to 9"' in fragment(document_of(["In ", ("Berlin", "LOC")]))


def test_where_the_model_stopped_is_said():
    document = Document("a b", array("I"), [], truncated_at=1)
    for shown in (page_of(document), fragment(document), document._repr_html_()):
        assert "The model read only the first 1 characters." in shown


def test_a_notebook_keeps_no_more_than_the_beginning_of_a_long_text(monkeypatch):
    monkeypatch.setattr(html, "FRAGMENT_CHARACTERS", 10)
    document = document_of(["In ", ("Berlin and Rome", "LOC"), " " * 5, ("Bonn", "LOC"), "."])
    shown = Reader(fragment(document))
    assert shown.texts["div mark"] == ["Berlin and Rome"]
    assert shown.texts["div em"] == ["… 10 characters and 1 entities more"]
    assert "more" not in fragment(document_of(["0123456789"]))


def test_entities_that_overlap_are_refused():
    document = Document("John Smith", array("I"), [Entity("John Smith", "PER", 0, 10, 1.0),
                                                   Entity("Smith", "PER", 5, 10, 1.0)])
    with pytest.raises(ValueError, match="entities: expected them in order, apart and within the text, got PER at 5"):
        fragment(document)


def test_labels_have_colours_of_their_own():
    palette = Palette()
    assert [palette.number(label) for label in ("ORG", "person", "MISC", "GPE", "ORG")] == [2, 0, 3, 1, 2]
    others = [palette.number(label) for label in "abcd"]
    assert sorted(others) == [4, 5, 6, 7]
    assert 0 <= palette.number("one too many") < len(COLOURS)


def linear(colour):
    values = np.array([int(colour[i:i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def contrast(one, other):
    """WCAG 2's contrast ratio."""
    dark, light = sorted(float(linear(colour) @ [0.2126, 0.7152, 0.0722]) for colour in (one, other))
    return (light + 0.05) / (dark + 0.05)


def oklab(light):
    """Ottosson's OKLab of a linear sRGB colour, its distances in hundredths."""
    cones = np.array([[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
                      [0.0883024619, 0.2817188376, 0.6299787005]]) @ np.clip(light, 0, 1)
    return 100 * np.array([[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099],
                           [0.0259040371, 0.7827717662, -0.8086757660]]) @ np.cbrt(cones)


@pytest.mark.parametrize(("theme", "ink", "paper"), [("light", INK, PAPER), ("dark", DARK_INK, DARK_PAPER)])
def test_text_stands_out_from_every_ground(theme, ink, paper):
    for ground in (paper, *(getattr(colour, theme) for colour in COLOURS)):
        assert contrast(ink, ground) >= 4.5
    assert contrast(ink, paper) >= 7


@pytest.mark.parametrize("sight", SIGHTS)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_eye_can_tell_the_grounds_apart(theme, sight):
    seen = [oklab(SIGHTS[sight] @ linear(getattr(colour, theme))) for colour in COLOURS]
    distances = {pair: float(np.linalg.norm(seen[pair[0]] - seen[pair[1]]))
                 for pair in itertools.combinations(range(len(seen)), 2)}
    assert min(distances.values()) > 6
    assert min(distance for pair, distance in distances.items() if max(pair) < 4) > 10


@pytest.fixture
def browse(tmp_path):
    """A function that opens a file in a browser without a window and returns what it made of it, as HTML."""
    chromium = shutil.which("chromium")
    if not chromium:
        pytest.skip("chromium is not installed")

    def dom_of(path, *options):
        command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
                   "--disable-sync", "--no-first-run", f"--user-data-dir={tmp_path / 'profile'}", *options,
                   "--dump-dom"]
        return subprocess.run([*command, path.as_uri()], capture_output=True, text=True, check=True, timeout=300).stdout

    return dom_of


def test_a_browser_runs_no_script_of_a_text(tmp_path, browse):
    page = tmp_path / "page.html"
    parts = [part for text in HOSTILE for part in (text, (text, text))]
    page.write_text(page_of(document_of(parts), where=HOSTILE[1]), encoding="utf-8")
    dom = browse(page)
    assert "<title>title</title>" in dom
    assert len(re.findall("<script", dom)) == 1
    assert len(re.findall("<mark", dom)) == len(HOSTILE)
    assert not re.search("<img|<b>(?![0-9])", dom)
    assert f">1 text, {len(HOSTILE)} names<" in dom
    assert '<form hidden' not in dom, "the page's own script ran"


# Sets what a reader may set, one choice after another, and writes down what then is to be seen.
READER = """
<!doctype html><title>reader</title><pre></pre><iframe src="page.html" width="{width}" height="800"></iframe><script>
addEventListener("load", () => {
  const frame = document.querySelector("iframe"), page = frame.contentDocument, seen = [];
  const form = page.querySelector("form").elements, labels = page.querySelectorAll("ul input");
  frame.contentWindow.requestAnimationFrame = update => update();  // what nobody looks at is not drawn
  const choices = {
    "all": () => {},
    "no PER": () => labels.forEach(each => each.checked = each.value !== "PER"),
    "score": () => { labels.forEach(each => each.checked = true); form.least.value = "0.6"; },
    "score, with names": () => { form.only.checked = true; },
    "search": () => { form.only.checked = false; form.least.value = "0"; form.query.value = "RULES ROME"; },
    "search of a label": () => { form.query.value = "per"; },
    "scores": () => { form.query.value = ""; form.scores.checked = true; },
  };
  for (const [name, choose] of Object.entries(choices)) {
    choose();
    page.querySelector("ul").dispatchEvent(new Event("input", {bubbles: true}));
    const style = frame.contentWindow.getComputedStyle(page.querySelector("mark"), "::after");
    seen.push([name, page.querySelector("[role=status]").textContent,
               [...page.querySelectorAll("article")].filter(each => each.offsetHeight).length,
               [...page.querySelectorAll("mark:not(.off)")].filter(each => each.offsetHeight)
                 .map(each => each.firstChild.data).join(" "),
               style.content !== "none", form.shown.value,
               page.documentElement.scrollWidth <= page.documentElement.clientWidth]);
  }
  document.querySelector("pre").textContent = JSON.stringify(seen);
});
</script>"""


@pytest.mark.parametrize("width", [390, 1440])
def test_a_reader_filters_and_searches(tmp_path, browse, width):
    def scored(parts, scores):
        document = document_of(parts)
        return Document(document.text, array("I"), [Entity(each.text, each.label, each.start, each.end, score)
                                                    for each, score in zip(document.entities, scores, strict=True)])

    texts = [scored([("Ann", "PER"), " rules ", ("Rome", "LOC"), "."], [0.9, 0.5]), scored([("Bo", "PER")], [0.4]),
             scored(["Nobody." + "x" * 500], [])]
    (tmp_path / "page.html").write_text(page_of(*texts), encoding="utf-8")
    (tmp_path / "reader.html").write_text(READER.replace("{width}", str(width)), encoding="utf-8")
    # The reader's own page may look into the other file.
    dom = browse(tmp_path / "reader.html", "--allow-file-access-from-files", "--disable-web-security")
    assert json.loads(unescape(re.search("<pre>(.*?)</pre>", dom)[1])) == [
        ["all", "3 texts, 3 names", 3, "Ann Rome Bo", False, "0.00", True],
        ["no PER", "3 texts, 1 name", 3, "Rome", False, "0.00", True],
        ["score", "3 texts, 1 name", 3, "Ann", False, "0.60", True],
        ["score, with names", "1 text, 1 name", 1, "Ann", False, "0.60", True],
        ["search", "1 text, 2 names", 1, "Ann Rome", False, "0.00", True],
        ["search of a label", "0 texts, 0 names", 0, "", False, "0.00", True],
        ["scores", "3 texts, 3 names", 3, "Ann Rome Bo", True, "0.00", True],
    ]
