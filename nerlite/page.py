"""A page of tagged texts that needs nothing but itself: one file, no network.

All that comes from a text is escaped, and the page's own policy lets no other script run and nothing be fetched.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from typing import TYPE_CHECKING, Any

from nerlite.html import COLOURS, DARK_INK, DARK_PAPER, INK, PAPER, Palette, escaped, marked, truncation

if TYPE_CHECKING:
    from nerlite.document import Document, Entity

STYLE = """
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 0 1rem 3rem; max-width: 64rem; display: flex; flex-direction: column;
  color: var(--ink); background: var(--paper); font: 1rem/1.8 system-ui, sans-serif; }
header { order: -1; position: sticky; top: 0; z-index: 1; padding: .75rem 0; background: var(--paper);
  border-bottom: 1px solid color-mix(in srgb, var(--ink) 30%, var(--paper)); }
h1 { margin: 0; font-size: 1.25rem; line-height: 1.4; overflow-wrap: anywhere; }
ul { display: flex; flex-wrap: wrap; gap: .4rem; margin: .4rem 0; padding: 0; list-style: none; }
ul label, mark { border-radius: .3em; }
ul label { display: inline-block; padding: .1rem .6rem; line-height: 1.6; cursor: pointer; }
ul label.off { background: none; text-decoration: line-through; outline: 1px solid; outline-offset: -1px; }
form { display: flex; flex-wrap: wrap; gap: .2rem 1rem; align-items: center; }
form label { display: inline-flex; gap: .4rem; align-items: center; }
form[hidden] { display: none; }
input { margin: 0; font: inherit; accent-color: var(--ink); }
input[type=range] { width: 7rem; }
input[type=search] { width: 12rem; max-width: 50vw; padding: .1rem .5rem; border-radius: .3rem;
  border: 1px solid color-mix(in srgb, var(--ink) 55%, var(--paper)); color: inherit; background: inherit; }
output { font-variant-numeric: tabular-nums; }
p[role=status] { margin: .3rem 0 0; }
p[role=status], h2 { font-size: .875rem; line-height: 1.5; font-weight: normal;
  color: color-mix(in srgb, var(--ink) 75%, var(--paper)); }
article { padding: .75rem 0; content-visibility: auto; contain-intrinsic-size: auto 5rem; }
article[hidden] { display: none; }
h2 { margin: 0; overflow-wrap: anywhere; }
.text { white-space: pre-wrap; overflow-wrap: anywhere; }
mark { color: inherit; padding: .15em .3em; -webkit-box-decoration-break: clone; box-decoration-break: clone;
  print-color-adjust: exact; -webkit-print-color-adjust: exact; }
mark small { font-size: .7em; font-weight: 700; letter-spacing: .03em; user-select: none;
  -webkit-user-select: none; }
.scores mark::after { content: " " attr(data-score); font-size: .7em; }
mark.off { padding: 0; background: none; }
mark.off small, .scores mark.off::after { display: none; }
::highlight(found) { color: var(--paper); background: var(--ink); }
@media (forced-colors: active) { mark:not(.off) { outline: 1px solid; } }
@media (max-width: 40rem), (max-height: 30rem) { header { position: static; } }
@media print { header { position: static; } form { display: none; } article { content-visibility: visible; } }
"""

SCRIPT = """
"use strict";
{
  const form = document.querySelector("form"), status = document.querySelector("[role=status]");
  const labels = [...document.querySelectorAll("ul input")];
  const texts = [...document.querySelectorAll("article")].map(article => {
    const nodes = [...article.querySelector(".text").childNodes].map(node => node.firstChild || node);
    return { article, nodes, text: nodes.map(node => node.data).join("").toLowerCase(),
             marks: [...article.querySelectorAll("mark")] };
  });
  const count = (number, one, many) => `${number.toLocaleString("en")} ${number === 1 ? one : many}`;

  // Mark what is searched for, as far as it lies within one stretch of a text, in the first texts that have it.
  function highlight(query, found) {
    if (!globalThis.Highlight) return;
    const ranges = [];
    for (const node of query ? found.slice(0, 500).flatMap(text => text.nodes) : []) {
      const data = node.data.toLowerCase();
      if (data.length !== node.data.length) continue;
      for (let at = data.indexOf(query); at >= 0; at = data.indexOf(query, at + query.length)) {
        const range = new Range();
        range.setStart(node, at);
        range.setEnd(node, at + query.length);
        ranges.push(range);
      }
    }
    CSS.highlights.set("found", new Highlight(...ranges));
  }

  function update() {
    const { query, least, shown, scores, only } = form.elements;
    const wanted = query.value.toLowerCase(), from = Number(least.value), found = [];
    const off = new Set(labels.filter(label => !label.checked).map(label => label.value));
    let names = 0;
    for (const label of labels) label.parentNode.classList.toggle("off", !label.checked);
    for (const text of texts) {
      let own = 0;
      for (const mark of text.marks) {
        const on = !off.has(mark.dataset.label) && Number(mark.dataset.score) >= from;
        mark.classList.toggle("off", !on);
        own += on;
      }
      text.article.hidden = !text.text.includes(wanted) || (only.checked && !own);
      if (text.article.hidden) continue;
      found.push(text);
      names += own;
    }
    shown.value = from.toFixed(2);
    document.body.classList.toggle("scores", scores.checked);
    highlight(wanted, found);
    status.textContent = `${count(found.length, "text", "texts")}, ${count(names, "name", "names")}`;
  }

  let frame = 0;
  document.addEventListener("input", () => {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(update);
  });
  form.addEventListener("submit", event => event.preventDefault());
  for (const label of labels) label.hidden = false;
  form.hidden = false;
  update();  // a browser may have kept what was chosen before a reload
}
"""


class Page:
    """One page of many documents, in parts that are written one after another: `head`, `article`s, `tail`."""

    def __init__(self, title: str) -> None:
        """title: what the window is called."""
        self._title = title
        self._palette = Palette()
        self._counts: Counter[str] = Counter()
        self._n_documents = 0

    def head(self) -> str:
        """Return what comes before the first document."""
        style = _style()
        policy = (f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(SCRIPT)}; base-uri 'none'; "
                  "form-action 'none'")
        return ('<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
                f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
                '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
                f'<meta name="color-scheme" content="light dark">\n<title>{escaped(self._title)}</title>\n'
                f"<style>{style}</style>\n</head>\n<body>\n<main>\n")

    def article(self, document: Document, where: str) -> str:
        """Return a document; where: what stands above it, such as the file and line it came from."""
        self._n_documents += 1
        self._counts.update(entity.label for entity in document.entities)

        def attributes(entity: Entity) -> str:
            return (f'class="c{self._palette.number(entity.label)}" data-label="{escaped(entity.label)}" '
                    f'data-score="{entity.score:.4f}"')

        return (f'<article>\n<h2 dir="auto">{escaped(where)}</h2>\n'
                f'<div class="text" dir="auto">{marked(document.stretches(), attributes)}</div>'
                f"{truncation(document)}\n</article>\n")

    def state(self) -> dict[str, Any]:
        """Return what the legend counts, as a value of JSON: labels in the order in which they got their colours."""
        return {"texts": self._n_documents, "names": dict(self._counts)}

    def go_on(self, state: dict[str, Any]) -> None:
        """Go on behind what an earlier object wrote of the same page, of which it gave this `state`."""
        self._n_documents, self._counts = state["texts"], Counter(state["names"])
        for label in self._counts:
            self._palette.number(label)

    def tail(self) -> str:
        """Return what comes after the last document: the legend, which the page shows above the first."""
        legend = "".join(
            f'<li><label class="c{self._palette.number(label)}"><input type="checkbox" checked hidden '
            f'value="{escaped(label)}"> {escaped(label)} <b>{count:,}</b></label></li>'
            for label, count in sorted(self._counts.items(), key=lambda each: (-each[1], each[0])))
        texts = "text" if self._n_documents == 1 else "texts"
        names = "name" if self._counts.total() == 1 else "names"
        return (f"</main>\n<header>\n<h1>{escaped(self._title)}</h1>\n<ul>{legend}</ul>\n"
                '<form hidden>\n<label>Search <input type="search" name="query"></label>\n'
                '<label>Score from <input type="range" name="least" min="0" max="1" step="0.01" value="0"> '
                '<output name="shown">0.00</output></label>\n'
                '<label><input type="checkbox" name="scores"> Show scores</label>\n'
                '<label><input type="checkbox" name="only"> Only texts with names</label>\n</form>\n'
                f'<p role="status">{self._n_documents:,} {texts}, {self._counts.total():,} {names}</p>\n</header>\n'
                f"<script>{SCRIPT}</script>\n</body>\n</html>\n")


def _style() -> str:
    """Return the page's style sheet with the colours filled in."""
    light, dark = ("".join(f"--c{i}:{colour[theme]};" for i, colour in enumerate(COLOURS)) for theme in (0, 1))
    grounds = "".join(f".c{i}{{background:var(--c{i})}}" for i in range(len(COLOURS)))
    return (f":root{{--ink:{INK};--paper:{PAPER};{light}}}\n"
            f"@media(prefers-color-scheme:dark){{:root{{--ink:{DARK_INK};--paper:{DARK_PAPER};{dark}}}}}\n"
            f"{grounds}{STYLE}")


def _hash(code: str) -> str:
    """Return how a content security policy names an inline script or style sheet."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()}'"
