"""Each gate of the site has something against a page that breaks what it asks."""

import pytest
from gates import GATES, look_at

PAGE = """<!doctype html><html lang=en><title>Bad</title>
<main class=bd-article><h1>One</h1>{}</main>
<script src=gone.js></script></html>"""
BAD = """<h3>Three</h3><div style="width: 1400px">wide</div>
<img alt="a line" src="data:,"><img alt="a line" src="data:,"><img src="data:,">
<audio controls aria-label="broken" src="data:audio/wav;base64,AAAA"></audio>
<div class=touch><input type=range aria-label="idle"></div>
<table class=sortable>
<thead><tr><td></td><th class=col_heading><button>one</button></th></tr></thead>
<tbody><tr><th>a</th><td>1</td></tr><tr><th>b</th><td>2</td></tr></tbody></table>
<button></button><p style="color: #999">pale</p>
<pre style="width: 100px; overflow: auto">wider than its box, out of reach of the keyboard</pre>
<img alt="far" src="https://example.org/far.png">"""
SEARCH = "<div class=search-summary>found 0</div>"


@pytest.fixture(scope="module")
def complaints(tmp_path_factory):
    site = tmp_path_factory.mktemp("site")
    (site / "bad.html").write_text(PAGE.format(BAD))
    (site / "search.html").write_text(PAGE.format(SEARCH))
    pictures = tmp_path_factory.mktemp("pictures")
    return look_at(site, tmp_path_factory.mktemp("profile"), pictures)


@pytest.mark.parametrize("gate", GATES)
def test_a_gate_is_shut_to_what_it_is_for(complaints, gate):
    assert complaints[gate]


def test_what_is_wrong_is_named(complaints):
    said = str(complaints)
    for words in ("button-name", "says nothing", "said of two", "skips a level", "sorts nothing"):
        assert words in said
    for words in ("example.org/far.png", "gone.js", "128 px wider", "broken: ", "moves nothing"):
        assert words in said
