"""The gates of the site: each page in a browser without a network, in both themes and widths."""

from __future__ import annotations

from pathlib import Path

from browser import Page, opened

HERE = Path(__file__).parent
SCRIPTS = (HERE.parent / "vendored" / "axe-core" / "axe.min.js", HERE / "gates.js")
LOOKS = (("light", 1280, 390), ("dark", 390, 1280))  # theme, width as loaded, width afterwards
ONCE = ("pictures", "headings", "players", "tables", "sliders")  # alike in all looks
GATES = ("accessible", "console", "search", "sideways", *ONCE)
PICTURED = ("intro", "05_knn", "07_rank", "11_one_law", "16_arch")


def look_at(site: Path, profile: Path, pictures: Path | None = None) -> dict[str, list[str]]:
    """What is wrong with the pages of ``site``, by gate.

    Args:
        profile: an empty folder for the browser.
        pictures: a folder for screenshots of the pages ``PICTURED``, if they are wanted.
    """
    wrong: dict[str, list[str]] = {gate: [] for gate in GATES}
    scripts = "\n".join(path.read_text() for path in SCRIPTS) + "; 0"

    def look(page: Page, name: str, theme: str, width: int, *gates: str) -> None:
        for gate in gates:
            said = page.run(f"gates.{gate}()")
            wrong[gate] += [f"{name}, {theme}, {width} px: {one}" for one in said]
        if pictures and name in PICTURED:
            pictures.mkdir(parents=True, exist_ok=True)
            page.screenshot(pictures / f"{name}_{theme}_{width}.png")

    with opened(profile) as page:
        for path in sorted(site.glob("*.html")):
            if path.name == "index.html":  # only leads on to the first
                continue
            for theme, width, other in LOOKS:
                page.theme(theme)
                page.resize(width)
                page.open(path.as_uri())
                page.run("globalThis.MathJax?.startup?.promise.then(() => 0)")
                page.run(scripts)
                gates = ONCE if theme == "light" else ()
                look(page, path.stem, theme, width, "accessible", "sideways", *gates)
                page.resize(other)
                look(page, path.stem, theme, other, "sideways")
                wrong["console"] += [f"{path.stem}, {theme}: {one}" for one in complaints(page)]
        page.open(f"{(site / 'search.html').as_uri()}?q=rank")
        page.wait("/[0-9]/.test(document.querySelector('.search-summary')?.innerText)")
        if page.run("document.querySelectorAll('#search-results li a').length") < 4:
            wrong["search"].append("rank is found on too few pages")
        wrong["console"] += [f"search: {one}" for one in complaints(page)]
    return wrong


def complaints(page: Page) -> list[str]:
    """Errors and warnings of the console, requests that failed, and any that ask a network."""
    said = []
    for event in page.events:
        told = event.get("params", {})
        match event.get("method"):
            case "Runtime.exceptionThrown":
                said.append(str(told["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if told["type"] in ("error", "warning", "assert"):
                said.append(str(told["args"]))
            case "Log.entryAdded":
                said.append(f"{told['entry']['text']} {told['entry'].get('url', '')}")
            case "Network.loadingFailed":
                said.append(f"{told['type']} not loaded: {told['errorText']}")
            case "Network.requestWillBeSent":
                if not told["request"]["url"].startswith(("file:", "data:", "blob:")):
                    said.append(f"asks a network for {told['request']['url']}")
    return said
