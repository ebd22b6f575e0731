"""The chapters, run with the smoke profile, and the site of them: whole, readable without a
network, and by ear as well as by eye.

One file, since workers take files and running the book is the longest fixture of all.
"""

import base64
import copy
import io
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
from bs4 import BeautifulSoup
from gates import GATES, look_at
from PIL import Image
from smoke_book import ROOT

from dasheng_lib.book.driver.pages import told
from dasheng_lib.book.driver.readme import BLOCK, claim_rows
from dasheng_lib.book.words.captions import MIME

CHAPTERS = sorted(path.stem for path in (ROOT / "book").glob("*.ipynb"))
PICTURE = 358  # px of a page's 390 that a picture has
LOADS = {  # what a browser fetches by itself to show a page
    "script": "src",
    "img": "src",
    "iframe": "src",
    "audio": "src",
    "video": "src",
    "source": "src",
    "embed": "src",
    "object": "data",
    "link": "href",
}


@pytest.fixture(scope="session")
def site(smoke_book) -> Path:
    return smoke_book.site()


@pytest.fixture(scope="session")
def pages(site) -> dict[str, BeautifulSoup]:
    """Every page but index.html, which only leads on to the first."""
    found = {p.name: BeautifulSoup(p.read_text(), "html.parser") for p in site.glob("*.html")}
    assert "url=intro.html" in str(found.pop("index.html").find("meta", {"http-equiv": True}))
    return found


@pytest.fixture(scope="session")
def complaints(site, tmp_path_factory, request) -> dict[str, list[str]]:
    pictures = request.config.getoption("--screenshots")
    return look_at(site, tmp_path_factory.mktemp("profile"), pictures)


def chapter_pages(pages):
    return {n: p for n, p in pages.items() if p.select_one(".cell.tag_parameters")}


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_runs_and_finds_something(smoke_book, chapter):
    path = smoke_book.run(chapter)
    assert path.stat().st_size < 15e6, "fewer or shorter sounds, smaller figures"
    executed = nbformat.read(path, as_version=4)
    code = [cell for cell in executed.cells if cell.cell_type == "code" and cell.source.strip()]
    assert all(cell.execution_count for cell in code), "every cell was run"
    errors = [o for cell in code for o in cell.outputs if o.output_type == "error"]
    assert errors == []
    assert told(executed), "a chapter tells the front page what it found"


def test_the_readme_says_what_chapters_say(smoke_book, pages):
    rows = {}
    for chapter in CHAPTERS:
        run = smoke_book.root / "_build" / "executed" / f"{chapter}.ipynb"
        found = told(nbformat.read(run, as_version=4))
        rows |= dict.fromkeys(claim_rows([one for one in found if one.get("saw")])[2:], chapter)
    block = BLOCK.search((ROOT / "README.md").read_text())[0]
    shown = [line for line in block.splitlines() if line.startswith("|")][5:]
    assert {row.split(" | ")[0] for row in shown} == {row.split(" | ")[0] for row in rows}
    for row, chapter in rows.items():  # those of them that no profile changes
        assert row in shown or chapter not in ("16_arch", "17_hares"), "`dasheng book --readme`"


def test_there_is_a_page_for_each_chapter_and_for_the_build(pages):
    about = ("status", "references", "glossary", "limits", "cite", "changelog")
    assert {"intro.html", *(f"{name}.html" for name in about)} <= set(pages)
    assert chapter_pages(pages)


def test_every_internal_link_and_anchor_resolves(site, pages):
    ids = {n: {tag["id"] for tag in page.find_all(id=True)} for n, page in pages.items()}
    broken = []
    for name, page in pages.items():
        for tag in page.select("a[href]"):
            parts = urlsplit(tag["href"])
            if parts.scheme or parts.netloc:
                continue
            target = unquote(parts.path) or name
            found = (site / target).is_file()
            if found and parts.fragment and target in ids:
                found = unquote(parts.fragment) in ids[target]
            if not found:
                broken.append(f"{name}: {tag['href']}")
    assert broken == []


def test_no_page_fetches_anything_from_a_network(site, pages):
    fetched = []
    for name, page in pages.items():
        for tag in page.find_all(list(LOADS)):
            address = tag.get(LOADS[tag.name], "")
            if tag.name == "link" and tag.get("rel") in (["canonical"], ["next"], ["prev"]):
                continue
            if re.match(r"(https?:)?//", address):
                fetched.append(f"{name}: {address}")
            elif not address.startswith(("data:", "#")) and address:
                path = unquote(urlsplit(address).path)
                assert (site / path).is_file(), f"{name} loads {path}, which is not there"
    for sheet in site.rglob("*.css"):
        text = sheet.read_text()
        fetched += re.findall(r"(?:url\(|@import)\s*['\"]?(?:https?:)?//[^)'\"]*", text)
    assert fetched == []


def test_no_button_leads_to_a_service(pages):
    for name, page in pages.items():
        buttons = str(page.select_one(".article-header-buttons") or "")
        for service in ("binder", "colab", "thebe", "github", "jupyterhub"):
            assert service not in buttons.lower(), f"{name} has a button for {service}"


def test_mathematics_is_drawn_by_files_of_the_site(site, pages):
    with_math = [n for n, page in pages.items() if page.select(".math")]
    assert with_math
    for name in with_math:
        sources = [tag["src"] for tag in pages[name].select("script[src*=mathjax]")]
        scripts = [urlsplit(source).path for source in sources]
        assert scripts == ["_static/../mathjax/tex-chtml-full.js"], name
        assert (site / "_static" / ".." / "mathjax" / "tex-chtml-full.js").is_file()
    fonts = site / "mathjax/output/chtml/fonts/woff-v2"
    assert (fonts / "MathJax_Main-Regular.woff").is_file()
    assert (site / "mathjax/LICENSE").is_file()


def test_no_formula_is_left_as_it_was_typed(pages):
    for name, page in chapter_pages(pages).items():
        shown = [
            text
            for text in page.select_one("main").find_all(string=True)
            if not any(
                tag.name in ("pre", "code", "script") or "math" in tag.get("class", [])
                for tag in text.parents
            )
        ]
        assert not re.search(r"\$[^$\n]*[\\^_={][^$\n]*\$", "".join(shown)), name


def test_type_in_figures_can_be_read_on_a_phone(smoke_book, pages):
    """Of at least 8 px where the picture is as wide as a page of 390 px lets it be."""
    small = []
    for path in sorted((smoke_book.root / "_build" / "executed").glob("*.ipynb")):
        for cell in nbformat.read(path, as_version=4).cells:
            shown = [o["data"] for o in cell.get("outputs", []) if "data" in o]
            said = [data[MIME]["type"] for data in shown if "type" in data.get(MIME, {})]
            for data in (data for data in shown if "image/png" in data):
                wide = Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).width
                type_px = min(said, default=0) * min(1, PICTURE / wide)
                if type_px < 8:
                    small.append(f"{path.stem}, {cell.id}: {type_px:.1f} px")
    assert small == []


@pytest.mark.parametrize("gate", GATES)
def test_a_browser_without_a_network_has_nothing_to_complain_of(complaints, gate):
    assert complaints[gate] == []


def test_a_caption_begins_with_what_is_seen_and_a_number(pages):
    plain = []
    for name, page in chapter_pages(pages).items():
        for text in page.select("figure:has(img) .caption-text"):
            first = re.split(r"(?<=\.) (?=[A-Z*])", text.get_text(" ", strip=True))[0]
            if not re.search(r"\d", first) or re.search(r"\bagainst\b", first):
                plain.append(f"{name}: {first}")
    assert plain == []


def test_every_player_has_a_label(pages):
    mute = [
        name
        for name, page in pages.items()
        for tag in page.find_all("audio")
        if not tag.get("aria-label", "").strip()
    ]
    assert mute == []


def test_pages_say_their_language_and_have_one_title(pages):
    for name, page in pages.items():
        assert page.html["lang"] == "en", name
        if page.select_one(".bd-article"):
            assert len(page.select(".bd-article h1")) == 1, name


def test_every_page_says_that_the_audio_is_synthetic(pages):
    for name, page in pages.items():
        banner = page.select_one(".bd-header-announcement")
        assert banner and "used synthetic audio because" in banner.text, name


def test_every_chapter_shows_its_parameters_and_how_to_run_it_again(pages):
    for name, page in chapter_pages(pages).items():
        box = page.select_one(".admonition.rerun")
        assert f"papermill book/{name.removesuffix('.html')}.ipynb out.ipynb" in box.text
        injected = page.select_one(".cell.tag_injected-parameters")
        if injected:
            assert "tag_hide-input" in injected["class"], "folded behind its label"


def test_every_chapter_ends_with_its_ways_out(site, pages):
    for name, page in chapter_pages(pages).items():
        links = [tag["href"] for tag in page.select(".doors a[href]")]
        assert f"_sources/{name.removesuffix('.html')}.ipynb" in links and "cite.html" in links
        assert page.select(".doors") == page.select(".doors")[-1:], "once"
        cited = [tag for tag in page.select("a.bibtex") if not tag.find_parent(class_="doors")]
        if cited:
            assert any(re.match(r"https://(arxiv|doi)\.org/", link) for link in links), name
    tables = {link for p in pages.values() for link in map(_href, p.select(".doors a[download]"))}
    assert any(link.startswith("data/results/") for link in tables)
    assert any(link.startswith("data/published/") for link in tables)


def _href(tag) -> str:
    return tag["href"]


def test_words_of_the_glossary_are_explained_at_first_mention_and_once(pages):
    glossary = pages["glossary.html"]
    explained = set()
    for name, page in chapter_pages(pages).items():
        words = page.select(".term")
        anchors = [urlsplit(word.a["href"]).fragment for word in words]
        assert words and len(set(anchors)) == len(anchors), name
        for word, anchor in zip(words, anchors, strict=True):
            said = " ".join(glossary.find(id=anchor).find_next("dd").text.split())
            assert word.select_one(".definition").text == said
            assert not word.find_parent(["h1", "h2", "h3", "code", "pre"])
        explained |= set(anchors)
    assert len(explained) > 20
    assert not glossary.select(".term")


def test_references_are_a_list_and_lead_to_the_papers(pages):
    (listed,) = pages["references.html"].select("[role=list]")
    items = listed.find_all(recursive=False)
    assert len(items) > 10 and {item.get("role") for item in items} == {"listitem"}
    with_link = [item for item in items if item.select("a.external")]
    assert len(with_link) >= len(items) - 1


def test_no_page_declares_what_only_a_network_can_serve(pages):
    for name, page in pages.items():
        text = re.sub(r"data:[\w/+;,=]*", "", str(page.html))  # pictures and sounds spell anything
        assert "thebe" not in text.lower(), name


def test_findings_stand_on_the_front_page_linked_to_where_they_were_found(pages):
    boxes = {
        (name, box["id"])
        for name, page in chapter_pages(pages).items()
        for box in page.select(".finding")
    }
    links = [urlsplit(tag["href"]) for tag in pages["intro.html"].select("ul.findings a")]
    assert {(link.path, link.fragment) for link in links} == boxes
    assert len(links) == len(boxes), "no two findings of a chapter share a title"


def test_every_chapter_opens_with_what_it_claims_and_found_and_needs(pages):
    for name, page in chapter_pages(pages).items():
        box = page.select_one("h1 ~ .admonition.in-short")
        heads = [tag.text for tag in box.select("li > p > strong, li > strong")]
        assert heads[0] in ("Claim.", "Claims.", "Question."), name
        assert heads[1:] == ["Found.", "To know before.", "Time."], name
        for link in box.select("a[href^='#']"):
            assert page.find(id=link["href"][1:]), name


def test_the_front_page_answers_shows_and_puts_claims_to_the_test(pages):
    front = pages["intro.html"].select_one(".bd-article")
    front = copy.copy(front)
    for tip in front.select(".definition"):  # of a word of the glossary
        tip.decompose()
    answer = next(p.text for p in front.select("p") if p.text.startswith("What we found."))
    assert 20 < len(answer.split()) <= 150
    assert len(front.select(".sounds figure.sound audio")) == 3
    rows = front.select("table.claims tbody tr")
    assert len(rows) == 5
    for row in rows:
        figure, box = (urlsplit(tag["href"]) for tag in row.select("a"))
        for link in (figure, box):
            assert pages[link.path].find(id=link.fragment), link
    folded = front.select("details ul.findings")
    assert len(folded) == 1


def test_the_status_page_names_what_the_build_stood_on(pages):
    text = pages["status.html"].select_one(".bd-article").text
    for word in ("smoke", "synthetic", "torch", "commit", "seconds"):
        assert word in text


def test_no_noise_of_the_machinery_is_on_a_page(pages):
    for name, page in chapter_pages(pages).items():
        text = page.get_text()
        for noise in ("without encryption", "Traceback", "UserWarning", "FutureWarning", "it/s]"):
            assert noise not in text, name
