"""The gates of the site: each page in a browser without a network, in both themes and widths."""

from __future__ import annotations

from pathlib import Path

from browser import Page, opened

HERE = Path(__file__).parent
SCRIPTS = (HERE.parent / "vendored" / "axe-core" / "axe.min.js", HERE / "gates.js")
ONCE = ("pictures", "headings", "players", "tables", "sliders")  # alike in all looks
LOOKS = {  # theme and width, one after the other, and the gates of each
    ("light", 1280): ("sideways", *ONCE, "accessible"),
    ("light", 390): ("sideways",),
    ("dark", 390): ("sideways", "readable"),
    ("dark", 1280): ("sideways",),
}
GATES = ("console", "search", *dict.fromkeys(gate for gates in LOOKS.values() for gate in gates))
# A page's timers are cut to 30 ms: the theme makes its tab stops 300 ms after a resize.
HURRIED = "const slow = setTimeout; setTimeout = (f, ms, ...a) => slow(f, Math.min(ms, 30), ...a)"
# Until the frame that resizes is over, and whatever waits for 30 ms from then on.
FRAME = "new Promise((done) => requestAnimationFrame(done))"
SETTLED = f"{FRAME}.then(() => {FRAME}).then(() => new Promise((done) => setTimeout(done, 30)))"
LATE = 10  # times that it may be
PICTURED = ("intro", "05_knn", "07_rank", "11_one_law", "16_arch")


def look_at(site: Path, profile: Path, pictures: Path | None = None) -> dict[str, list[str]]:
    """What is wrong with the pages of ``site``, by gate.

    Args:
        profile: an empty folder for the browser.
        pictures: a folder for screenshots of the pages ``PICTURED``, if they are wanted.
    """
    wrong: dict[str, list[str]] = {gate: [] for gate in GATES}
    scripts = "\n".join(path.read_text() for path in SCRIPTS) + "; 0"

    with opened(profile) as page:
        page.send("Page.addScriptToEvaluateOnNewDocument", source=f"{{ {HURRIED} }}")
        for path in sorted(site.glob("*.html")):
            if path.name == "index.html":  # only leads on to the first
                continue
            name = path.stem
            for (theme, width), gates in LOOKS.items():
                page.theme(theme)
                page.resize(width)
                if gates == LOOKS["light", 1280]:
                    page.open(path.as_uri())
                    page.run("globalThis.MathJax?.startup?.promise.then(() => 0)")
                    page.run(scripts)
                elif "readable" in gates:
                    page.run(SETTLED)
                for gate in gates:
                    said = asked(page, gate)
                    wrong[gate] += [f"{name}, {theme}, {width} px: {one}" for one in said]
                if pictures and name in PICTURED:
                    pictures.mkdir(parents=True, exist_ok=True)
                    page.screenshot(pictures / f"{name}_{theme}_{width}.png")
            wrong["console"] += [f"{name}: {one}" for one in complaints(page)]
        page.open(f"{(site / 'search.html').as_uri()}?q=rank")
        page.wait("/[0-9]/.test(document.querySelector('.search-summary')?.innerText)")
        if page.run("document.querySelectorAll('#search-results li a').length") < 4:
            wrong["search"].append("rank is found on too few pages")
        wrong["console"] += [f"search: {one}" for one in complaints(page)]
    return wrong


def asked(page: Page, gate: str) -> list[str]:
    """What a gate has to say; what a new width spoils is asked again, as the theme may be late on
    a busy machine: a fault stays one.
    """
    said = page.run(f"gates.{gate}()")
    for _ in range(LATE if gate in ("sideways", "readable") else 0):
        if not said:
            break
        page.run(SETTLED)
        said = page.run(f"gates.{gate}()")
    return said


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
