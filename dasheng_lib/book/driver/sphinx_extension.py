"""A Sphinx extension: a word of the glossary is explained where a page first says it.

It also mends what Jupyter Book brings: Thebe, whose script is declared twice and wants a network,
a list of references without list items, and names and stops that a screen reader or keyboard needs.
"""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

MENDED = (  # pattern and replacement, in a page as it was written
    # A name other than the words that one sees: who speaks to a button could not press it.
    (r' aria-label="Toggle hidden content"', ""),
    (r'(search-button-field[^>]*) aria-label="Search"', r"\1"),
    (r'(<i class="theme-switch[^>]*) title="[\w ]+"', r"\1"),
    # A formula that scrolls on a phone scrolls by keys too.
    (r'<div class="math notranslate nohighlight"', r'\g<0> tabindex="0"'),
)
UNEXPLAINED = ("references", "status", "changelog", "cite")


def setup(app: Sphinx) -> dict[str, Any]:
    """What Sphinx calls; ``_config.yml`` names this module in ``extra_extensions``."""
    without_thebe(app)
    app.add_node(
        nodes.citation, override=True, html=(_visit_citation, HTML5Translator.depart_citation)
    )
    app.connect("doctree-read", keep_definitions)
    app.connect("doctree-resolved", explain)
    app.connect("build-finished", mend)
    return {"version": "1", "parallel_read_safe": False, "parallel_write_safe": True}


def without_thebe(app: Sphinx) -> None:
    """Undo what ``sphinx_thebe`` has set up; nothing where it is not there."""
    for listeners in app.events.listeners.values():
        listeners[:] = [one for one in listeners if one.handler.__module__ != "sphinx_thebe"]
    app.registry.css_files[:] = [c for c in app.registry.css_files if "thebe" not in c[0]]


def mend(app: Sphinx, error: Exception | None) -> None:
    """Put right in every page what is in ``MENDED``."""
    for path in Path(app.outdir).glob("*.html"):
        page = path.read_text(encoding="utf-8")
        for pattern, replacement in MENDED:
            page = re.sub(pattern, replacement, page)
        path.write_text(page, encoding="utf-8")


def _visit_citation(self: HTML5Translator, node: nodes.citation) -> None:
    if not isinstance(node.previous_sibling(), nodes.citation):
        self.body.append('<div role="list" class="citation-list">\n')
    self.body.append(self.starttag(node, "div", classes=["citation"], role="listitem"))


def keep_definitions(app: Sphinx, doctree: nodes.document) -> None:
    """Keep what a page's glossary says: ``{word: (page, anchor, definition)}``, in lower case."""
    kept = app.env.__dict__.setdefault("glossary_definitions", {})
    for glossary in doctree.findall(addnodes.glossary):
        for item in glossary.findall(nodes.definition_list_item):
            said = " ".join(item.next_node(nodes.definition).astext().split())
            for term in item.findall(nodes.term):
                kept[term.astext().lower()] = (app.env.docname, term["ids"][0], said)


def explain(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Link the first mention of each word in running text, with its definition as a hover.

    A headword with a bracket, such as "look (of a run)", is a common word in a sense of its own: it
    is explained only where the text asks for it by ``{term}``.
    """
    words: dict[str, tuple[str, str, str]] = getattr(app.env, "glossary_definitions", {})
    pages = {page for page, _, _ in words.values()}
    if app.builder.format != "html" or not words or docname in {*pages, *UNEXPLAINED}:
        return
    done = set()
    for link in [*doctree.findall(nodes.reference)]:
        anchor = link.get("refuri", "").rpartition("#")[2] or link.get("refid", "")
        said = next((said for _, to, said in words.values() if to == anchor), None)
        if said and said not in done:
            done.add(said)
            link.parent.replace(link, _hover(link, said))
    plain = sorted((re.escape(w) for w in words if "(" not in w), key=len, reverse=True)
    pattern = re.compile(rf"(?<![\w-])({'|'.join(plain)})(s?)(?![\w-])", re.IGNORECASE)
    for text in [*doctree.findall(nodes.Text)]:
        if not _running(text):
            continue
        parts, at = [], 0
        for match in pattern.finditer(text):
            page, anchor, said = words[match[1].lower()]
            if said in done:
                continue
            done.add(said)
            uri = f"{app.builder.get_relative_uri(docname, page)}#{anchor}"
            link = nodes.reference("", match[0], internal=True, refuri=uri)
            parts += [nodes.Text(text[at : match.start()]), *_hover(link, said)]
            at = match.end()
        if parts:
            text.parent.replace(text, [*parts, nodes.Text(text[at:])])


def _running(text: nodes.Text) -> bool:
    """Whether it is a piece of a paragraph, not of a heading, a link, code, a formula or a table,
    whose cells are too narrow for a definition."""
    around = text.parent
    before = around[max(0, around.index(text) - 1)]
    if isinstance(before, nodes.raw) and before.astext().startswith("<a "):
        return False
    if isinstance(around, nodes.emphasis | nodes.strong):
        around = around.parent
    return isinstance(around, nodes.paragraph) and not isinstance(around.parent, nodes.entry)


def _hover(link: nodes.reference, said: str) -> list[nodes.Node]:
    tip = f'<span class="definition" role="tooltip">{html.escape(said)}</span></span>'
    return [
        nodes.raw("", '<span class="term">', format="html"),
        link,
        nodes.raw("", tip, format="html"),
    ]
