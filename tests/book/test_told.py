"""What the chapters tell of their numbers turns when the numbers do."""

import ast
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from chapter_cells import code_cells, run_cell

from dasheng_lib.book import hear, unheard
from dasheng_lib.book.pretraining import other_recipe
from dasheng_lib.train.config import RunConfig
from dasheng_lib.train.recipes import RECIPES
from dasheng_lib.train.schedule import TrainConfig

BOOK = Path(__file__).parents[2] / "book"
NOTEBOOKS = sorted(BOOK.glob("*.ipynb"))
# Words that state a result. A caption that holds one is computed, not written beforehand.
RESULT = re.compile(
    r"\b(ris(e|es|ing)|fall(s|ing)?|drops?|grows?|shrinks?|flatten(s|ing)?|steepen(s|ing)?"
    r"|levels? off|converges?|recovers?|beats?|wins?|loses?|passes|dents?"
    r"|higher|highest|lower|lowest|best|better|worst|worse|larger|largest|smaller|smallest"
    r"|ahead|behind|(below|above) the|nearly|mostly|most|hardly|far|differ|early|late|slowly)\b"
)


def words_of(call):
    """Each argument of a call of caption(): its text, and whether a number can change it."""
    for argument in [*call.args, *(keyword.value for keyword in call.keywords)]:
        nodes = list(ast.walk(argument))
        text = "".join(
            n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)
        )
        yield text, any(isinstance(n, (ast.FormattedValue, ast.Name)) for n in nodes)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_figure_that_states_a_result_computes_it(path):
    for cell in code_cells(path):
        options = cell.metadata.get("mystnb", {})
        calls = (
            [
                node
                for node in ast.walk(ast.parse(re.sub(r"(?m)^%.*", "", cell.source)))
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "caption"
            ]
            if "caption(" in cell.source
            else []
        )
        written = [options.get("figure", {}).get("caption"), options.get("image", {}).get("alt")]
        if calls:
            assert written == [None, None], f"{cell.id} has two captions"
        elif "figure" in options:
            assert all(written), f"{cell.id} has a figure without a caption or a description"
        fixed = [text for call in calls for text, turns in words_of(call) if not turns]
        for text in [*filter(None, written), *fixed]:
            assert not RESULT.search(text), f"{cell.id} states a result beforehand: {text}"


@pytest.mark.parametrize(
    "text",
    [
        "Training loss against step, falling fast at first and then slowly.",
        "It ends below the horizontal lines of the two trivial predictors.",
        "The last column recovers harmonics and onsets in smooth strokes.",
        "Normalised spectra at the kept steps, flattening as training goes on.",
        "The corrected curve levels off earlier.",
        "CED-Base dents deeply at MST and VL; all models are low at VI.",
        "ATST-Frame rises from fifth to third place, past Dasheng-Base.",
        "Most clips last 0.2 to 2 seconds; the larger model takes longest.",
    ],
)
def test_the_captions_that_were_false_would_be_caught(text):
    assert RESULT.search(text.lower())


@pytest.mark.parametrize(
    ("reached", "standing_to_line", "verdict"),
    [
        (0.53, "behind the straight line", "loses to a straight line"),
        (0.42, "level with the straight line", "as well as a straight line"),
        (0.40, "ahead of the straight line", "beats a straight line"),
    ],
)
def test_pretraining_says_whether_it_beats_a_straight_line(reached, standing_to_line, verdict):
    log = pd.DataFrame({"step": [1, 2], "loss": [1.0, 0.5], "seconds": [1.0, 2.0]})
    run = {"log": log, "steps": 2, "batch": 4, "clip_seconds": 1.0, "reached": reached}
    run["trivial"] = {"nothing": 1.0, "neighbours": 0.42}
    (caption, alt), names = run_cell("03", "03-10", **run)
    assert standing_to_line in caption and standing_to_line in alt
    (text,), _ = run_cell("03", "03-10v", **run)
    assert verdict in text
    (text,), _ = run_cell("03", "03-13", **run, against=names["against"])
    assert standing_to_line in text


@pytest.mark.parametrize(
    ("after", "opposite", "verdict"),
    [
        ((16.5, 50.6, 40.0), "Rank and accuracy (linear and k-NN) move in opposite", "not"),
        ((16.5, 50.6, 30.0), "Rank and accuracy (linear) move in opposite", "partly"),
        ((16.5, 40.0, 30.0), "Rank and accuracy move in the same direction", "cannot tell"),
        ((99.0, 50.6, 40.0), "Rank and accuracy move in the same direction", "cannot tell"),
    ],
)
def test_rank_says_whether_it_goes_with_accuracy(after, opposite, verdict):
    columns = ["step", "RankMe", "linear (%)", "k-NN (%)", "centred", "mean over spread"]
    rows = [(0, 83.9, 43.0, 36.0, 80.0, 0.4), (600, *after, 40.0, 0.5), (1200, *after, 56.0, 4.5)]
    rows[2] = (1200, after[0] - 5, *after[1:], 56.0, 4.5)
    (text,), names = run_cell("07", "07-05a", history=pd.DataFrame(rows, columns=columns))
    assert opposite in text
    assert ("has learned nothing has the highest effective rank" in text) == (after[0] < 83.9)
    (text,), names = run_cell("07", "07-05s", **names)
    assert "from step 600 to 1200 RankMe falls" in text and "rises from 40.0 to 56.0" in text
    points = pd.DataFrame({"n": [96], "plain": [10.0], "corrected": [12.0]})
    names |= {"points": points, "sizes": [96], "everything": 13.0, "steps": 1200}
    names |= {"order": ["rate"], "widest": {"rate": 36.0}}
    (parts,), _ = run_cell("07", "07-12", **names)
    assert parts["verdict"] == verdict


def test_runs_that_were_recorded_with_another_recipe_are_told_apart():
    kept = {"steps": 1200, "batch": 64, "clip_seconds": 2.0, "mask_ratio": 0.5, "group": 2}
    plain = RunConfig(train=TrainConfig(steps=1200))
    assert other_recipe(kept, plain) == other_recipe({}, RECIPES["quick"]) == ""
    assert other_recipe(plain.record(), plain) == ""
    varied = replace(plain, clip_seconds=1.0, mix=0.5)
    assert other_recipe(kept, varied) == (
        "The recorded runs had another recipe: `clip_seconds` 2 and `mix` 0, where this one has "
        "1 and 0.5."
    )


@pytest.mark.parametrize("sign", [1, -1])
def test_probes_lead_with_what_was_never_heard_and_tell_both_signs(sign):
    gaps = {"fsdd linear": -1.2 * sign, "fsdd k-NN": -12.1 * sign, "esc10 k-NN": 2.3 * sign}
    rivals = ("log-mel statistics", "untrained")
    leads = {(s, r): gaps for s in ("recorded", "just now") for r in rivals}
    values = {"pretrained": 0.5 + 0.1 * sign, "log-mel statistics": 0.5, "untrained": 0.4}
    recorded = pd.DataFrame(
        [("fsdd", p, e, v) for p in ("linear", "knn") for e, v in values.items()],
        columns=["task", "probe", "encoder", "accuracy"],
    )
    means = pd.DataFrame({"average": recorded.set_index(["encoder", "probe"])["accuracy"]})
    ways = {who: [1 if gap > 0 else -1 for gap in gaps.values()] for who, gaps in leads.items()}
    (parts,), _ = run_cell(
        "05",
        "05-16",
        read_results=lambda name: pd.DataFrame(),
        steps=1200,
        unheard=unheard,
        ways=ways,
        RIVALS=rivals,
        PROBES={"linear": "linear", "knn": "k-NN"},
        asked=[],
        judges={},
        leads=leads,
        recorded=recorded,
        table=recorded,
        accuracy_by_domain=lambda table: means,
    )
    text = parts["evidence"]
    assert text.startswith("On recordings that no encoder here has heard")
    minus = "(fsdd linear -1.2, fsdd k-NN -12.1)"
    expected = {
        1: f"against log-mel statistics, behind in 2 of 3 {minus}, ahead in 1 (esc10 k-NN +2.3)",
        -1: "against log-mel statistics, ahead in 2 of 3 (fsdd linear +1.2, fsdd k-NN +12.1), "
        "behind in 1 (esc10 k-NN -2.3)",
    }
    assert expected[sign] in text
    assert ("1 of 1 (linear)" if sign > 0 else "0 of 1 (linear)") in text
    behind = sum(gap < 0 for gap in leads["recorded", "untrained"].values())
    assert f"ahead of itself untrained in {3 - behind} of 3 comparisons" in parts["saw"]
    assert f"and behind in {behind}" in parts["because"]
    assert f"log-mel numbers in {3 - behind} of 3 comparisons" in parts["saw"]


def test_an_encoder_leads_where_intervals_do_not_meet():
    rows = [
        (task, probe, encoder, low, low + 0.1)
        for task, probe, lows in (
            ("fsdd", "linear", (0.6, 0.45, 0.55)),
            ("esc10", "knn", (0.1, 0.3, 0)),
        )
        for encoder, low in zip(
            ("dasheng:nano", "untrained nano", "log-mel statistics"), lows, strict=True
        )
    ]
    table = pd.DataFrame(rows, columns=["task", "probe", "encoder", "low", "high"])
    ways = unheard.longer_trained(table)
    assert ways == {"untrained": [-1, 1], "log-mel statistics": [0, 0]}
    assert unheard.word(*ways.values()) == "cannot tell"
    assert unheard.led(ways).startswith("ahead of itself untrained in 1 of 2 comparisons")
    assert unheard.longer_trained(table[:0]) == {}


def test_the_module_that_is_checked_is_the_one_that_is_named():
    asked = []

    def check(module, weights):
        asked.append((module, weights))
        return 0

    for name in ("hear:my_encoder", "hear:some.module:/w.pt", "dasheng:nano"):
        run_cell("09", "09-07", encoder=name, hear=SimpleNamespace(check=check))
    assert asked == [("my_encoder", ""), ("some.module", "/w.pt")]


def test_what_a_module_is_found_to_do_is_printed_a_line_each(monkeypatch, capsys):
    late, odd = (
        SimpleNamespace(level="error", says=says) for says in ("It is late.", "It is odd.")
    )
    found = {"wrong": [late, odd], "late": [late]}
    monkeypatch.setattr(hear, "check_hear", lambda module, weights, device: found[module])
    assert [hear.check("late"), hear.check("wrong")] == [1, 2]
    printed = capsys.readouterr().out.splitlines()
    assert printed[:2] == ["error: It is late.", "late: 1 finding"]
    assert printed[2:] == ["error: It is late.", "error: It is odd.", "wrong: 2 findings"]
