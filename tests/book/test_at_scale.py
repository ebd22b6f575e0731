"""What a run takes, by hand; and what a reader's browser makes of the same numbers."""

from dataclasses import asdict, replace

import numpy as np
import pytest
from browser import in_browser

from dasheng_lib.book import at_scale, scale_words
from dasheng_lib.book.figures import cost_calculator
from dasheng_lib.train.budget import Plan, budget, ring

# One hour of work for one machine: 3600 steps of one clip, one a second.
HOUR = Plan(
    flops=50.0,
    parameters=1000,
    hours=10,
    steps=3600,
    batch=1,
    count=1,
    peak=100,
    share=0.5,
    watts=500,
    price=3,
    pue=2,
    carbon=400,
    stored=20_000,
    storage_price=25,
    decoded=4,
)
OTHERS = [
    HOUR,
    replace(HOUR, count=7, hours=0.3, share=0.01, steps=12345.6),
    at_scale.plan("base", "H200", 3, 0.0543),
    at_scale.plan("1.2B", "A100", 8, at_scale.published_share()),
]


def test_an_hour_of_work_by_hand():
    found = budget(HOUR)
    assert found.flops == 180_000 and found.accelerator_hours == 1 and found.days == 1 / 24
    assert (found.cost, found.energy, found.carbon) == (3, 1, 0.4)
    assert found.passes == 1, "3600 clips of ten seconds are ten hours"
    assert (found.shards, found.bytes) == (4, 720e6)
    assert found.storage_cost == pytest.approx(0.018)
    assert (found.clips_a_second, found.bytes_a_second, found.cores) == (1, 200_000, 0.25)
    assert found.gradients_a_second == 0, "alone, nothing is sent"
    assert found.checkpoint == 12_000


def test_more_machines_cost_the_same_and_ask_for_more():
    one, eight = budget(HOUR), budget(replace(HOUR, count=8))
    assert eight.days == one.days / 8 and eight.cost == one.cost
    assert eight.clips_a_second == 8 * one.clips_a_second
    assert eight.gradients_a_second == pytest.approx(2 * 7 / 8 * 4 * 1000 * 8)
    assert ring(2) == 1 and ring(1e9) == pytest.approx(2)


def test_the_published_run_takes_the_published_days():
    run = at_scale.facts()["run"]
    plan = at_scale.plan("1.2B", run["accelerator"], run["count"], at_scale.published_share())
    assert budget(plan).days == pytest.approx(run["days"])
    assert at_scale.published_bytes() == pytest.approx(at_scale.rates()["stored"], rel=0.25)


def test_what_breaks_is_what_is_asked_over_what_is_there():
    gives = {"link": 1e4, "network": 2e5, "memory": 16_000}
    rates = {"placed": 10, "indexed": 2, "opened": 1, "checkpoint": 1000}
    found = at_scale.strains(HOUR, gives, rates)
    assert found["reading: threads that decode"] == 1 / (at_scale.THREADS * 4)
    assert found["reading: the network"] == 1 and found["order of the clips"] == 0.1
    assert found["the first index"] == 3600 / 2 / 3600
    assert found["a start a day"] == 4 / 86_400
    assert found["checkpoints"] == 3600 / at_scale.EXECUTION.checkpoint_every * 12 / 3600
    assert found["gradients, in a machine"] == 0 and found["weights and moments"] == 1
    stopped = sum(found[part] for part in at_scale.STOPS)
    assert at_scale.slowed(found) == 1 + stopped, "steps wait for nothing that runs beside them"
    assert at_scale.slowed(found | {"order of the clips": 3}) == 3 + stopped
    assert found["gradients, machines doubled"] == pytest.approx(4 * 1000 * 2 / (8 * 2e5))


def test_what_is_said_turns_with_the_machines():
    said = scale_words.breaks("A100", 8, 0.23)
    assert "**Decoding.**" in said and "**Checkpoints.**" in said
    slow = scale_words.strains("A100", 1, 0.001)
    assert scale_words.broken(slow) == []
    alone = scale_words.breaks("A100", 1, 0.001)
    assert "**Decoding.**" not in alone and "**What holds.**" in alone
    assert "nan" not in said + alone + scale_words.whole_corpus("H100", 1, 0.5)


def test_the_script_does_the_sums_of_the_library(tmp_path):
    ask = f"return {[asdict(plan) for plan in OTHERS]}.map(costCalculator.budget);"
    for plan, found in zip(OTHERS, in_browser(tmp_path, "", [SCRIPT], ask), strict=True):
        assert found == pytest.approx(asdict(budget(plan)), rel=1e-12)


SCRIPT = "cost_calculator.js"
PAGE = cost_calculator.calculator_html("A100", 8, 0.25)
TURN = """
    const box = document.querySelector(".cost-calculator");
    const input = (name) => document.getElementById(`cost-calculator-0-${name}`);
    const turn = (name, value) => {
        input(name).value = value;
        input(name).dispatchEvent(new Event("input", {bubbles: true}));
    };
    const cells = () => [...box.querySelectorAll(":scope > table td")].map((c) => c.textContent);
    const said = () => box.querySelector("[aria-live]").textContent;"""


def test_the_calculator_says_what_the_table_says(tmp_path):
    ask = f"""{TURN}
        const seen = [];
        for (const size of ["base", "0.6B", "1.2B"]) {{ turn("size", size); seen.push(cells()); }}
        const inputs = [...box.querySelectorAll("input, select")];
        return {{seen, labels: inputs.map((i) => i.labels.length), said: said(),
            open: box.querySelector("details").open}};"""
    found = in_browser(tmp_path, PAGE, [SCRIPT], ask)
    expected = np.array([c for _, c in cost_calculator.table("A100", 8, 0.25)]).T.tolist()
    assert found["seen"] == expected
    assert found["labels"] == [1] * 10 and not found["open"]
    assert "1.2B on 8 A100: 3.67 days" in found["said"]


def test_turning_one_field_turns_what_hangs_on_it(tmp_path):
    ask = f"""{TURN}
        const fields = () => Object.fromEntries(["steps", "passes", "price", "hours"]
            .map((name) => [name, Number(input(name).value)]));
        const seen = [fields()];
        turn("accelerator", "H100"); seen.push(fields());
        turn("passes", "8"); seen.push(fields());
        turn("hours", "1000"); seen.push(fields());
        turn("count", ""); const empty = [said(), ...cells()];
        turn("count", "16");
        return {{seen, empty, after: said()}};"""
    found = in_browser(tmp_path, PAGE, [SCRIPT], ask)
    start, h100, passes, hours = found["seen"]
    assert start["steps"] == 1500 and start["passes"] == pytest.approx(3.9165, abs=1e-3)
    assert h100 == start | {"price": at_scale.machine("H100")["price"]}
    assert passes["passes"] == 8 and passes["steps"] == pytest.approx(1500 * 8 / 3.91644, rel=1e-4)
    assert hours["steps"] == passes["steps"] and hours["passes"] == pytest.approx(
        8 * 272.356, rel=1e-3
    )
    assert found["empty"][0] == "accelerators: a number from 1 to 100000."
    assert set(found["empty"][1:]) == {"\u2013"}
    assert "16 H100" in found["after"]


def test_without_a_script_a_table_says_it():
    assert "<details open>" in PAGE and PAGE.count('scope="col"') == 3
    assert PAGE.count('scope="row"') == len(cost_calculator.ROWS)
    assert cost_calculator.shown(1234.5) == "1,230" and cost_calculator.shown(0.01234) == "0.0123"
