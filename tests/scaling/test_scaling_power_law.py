"""The power law of a sweep: known laws recovered, and words that the data bear out."""

import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sweep_rows import TASKS, sweep

from dasheng_lib.common.errors import UserError
from dasheng_lib.scaling import Fit, fit_power_law
from dasheng_lib.scaling.decide import decide
from dasheng_lib.scaling.fit import Estimate
from dasheng_lib.scaling.rows import arms, in_arms, last_checkpoints, usable

FEW = Fit(draws=400)


@pytest.fixture(scope="module")
def table():
    return sweep()


@pytest.fixture(scope="module")
def found(table):
    return fit_power_law(table, fit=Fit(draws=1000))


def test_a_known_law_is_found(found):
    assert found.a.low < 0.2 < found.a.high and found.b.low < 0.25 < found.b.high
    assert found.b.high - found.b.low < 0.04
    assert (found.runs, len(found.table)) == (52, 312) and found.span > 50
    assert found.r2 > 0.97 and found.draws_BP.shape == (1001, 2)
    assert found.decision.word == "supported", found.decision
    forms = found.compare()
    assert forms.index[0] == "power" and len(forms) == 6
    assert forms["wins"].sum() == pytest.approx(1)
    assert forms["held_out"].drop("offset").idxmin() == "power"


def test_the_band_is_narrowest_in_the_middle_and_holds_the_law(found, table):
    x = np.geomspace(table["rankme"].min(), table["rankme"].max(), 9)
    low, high = found.band(x)
    true = 0.2 * x**0.25
    assert (low < true).all() and (true < high).all()
    width = np.log(high / low)
    assert width.argmin() in (3, 4, 5) and width[[0, -1]].min() > 1.2 * width.min()
    at_one = found.band(np.ones(1))
    np.testing.assert_allclose(np.concatenate(at_one), [found.a.low, found.a.high])


def test_a_twofold_span_cannot_tell():
    table = last_checkpoints(sweep(squeeze=0.15))
    found = fit_power_law(table, fit=FEW)
    assert 1.5 < found.span < 2.2 and found.r2 > 0.6
    assert found.decision.word == "cannot tell" and "spans" in found.decision.reasons[0]
    few = fit_power_law(last_checkpoints(sweep()).iloc[::8], fit=FEW)
    assert few.decision.word == "cannot tell" and "7 runs" in few.decision.reasons[0]


def test_noise_that_hides_the_form_cannot_tell():
    found = fit_power_law(last_checkpoints(sweep(seed=2, run_sd=0.12)), fit=FEW)
    assert found.b.above and found.span > 8
    assert found.decision.word == "cannot tell" and "logarithmic" in found.decision.reasons[0]


def test_another_law_is_not_taken_for_a_power_law():
    found = fit_power_law(sweep(law=lambda rank: 0.8 - 0.9 * rank**-0.5), fit=FEW)
    assert found.decision.word == "partly"
    assert any("saturating" in reason for reason in found.decision.reasons)


def test_quality_that_falls_or_stays_is_no_power_law():
    falls = fit_power_law(sweep(law=lambda rank: rank**-0.1), fit=FEW)
    assert falls.b.below and falls.decision.word == "not"
    stays = fit_power_law(sweep(law=lambda rank: 0.5 + 0 * rank, run_sd=0.01), fit=FEW)
    assert stays.decision.word == "not" and abs(stays.b.value) < 0.01


def test_an_arm_that_falls_is_told():
    table = sweep()
    of_mask = table["factor"] == "mask"
    table.loc[of_mask, "quality"] = 3.0 * table.loc[of_mask, "rankme"] ** -0.4
    found = fit_power_law(last_checkpoints(table), fit=FEW)
    assert found.arms["mask"].below and found.decision.word == "partly"
    assert any("arm mask" in reason for reason in found.decision.reasons)


def test_tasks_are_resampled_too(table):
    rng = np.random.default_rng(0)
    uneven = table.assign(**{name: table[name] ** rng.uniform(0.2, 1.8) for name in TASKS})
    for domain in ("speech", "music", "environment"):
        columns = [name for name, of in TASKS.items() if of == domain]
        uneven[f"quality_{domain}"] = uneven[columns].mean(axis=1)
    domains = ["quality_speech", "quality_music", "quality_environment"]
    uneven["quality"] = uneven[domains].mean(axis=1)
    runs = fit_power_law(uneven, fit=FEW)
    tasks = fit_power_law(uneven, tasks=TASKS, fit=FEW)
    assert tasks.b.value == runs.b.value
    assert tasks.b.high - tasks.b.low > 2 * (runs.b.high - runs.b.low)
    with pytest.raises(ValueError, match="mean over domains"):
        fit_power_law(table, tasks={"linear:fsdd": "speech"}, fit=FEW)


def test_a_record_of_six_digits_is_the_mean_of_its_tasks_and_no_other_is(table):
    read = pd.read_csv(io.StringIO(table.to_csv(index=False, float_format="%.6g")))
    assert fit_power_law(read, tasks=TASKS, fit=FEW).runs == table["run"].nunique()
    read.loc[0, "quality"] *= 1.0001
    with pytest.raises(ValueError, match="mean over domains"):
        fit_power_law(read, tasks=TASKS, fit=FEW)


def test_a_seed_gives_the_same_numbers(table):
    last = last_checkpoints(table)
    one, same, other = (fit_power_law(last, fit=replace(FEW, seed=s)) for s in (1, 1, 2))
    assert (one.b, one.arms) == (same.b, same.arms) and one.b != other.b
    pd.testing.assert_frame_equal(one.compare(), same.compare())


def test_rows_that_have_no_log_are_left_out(table):
    spoilt = table.copy()
    spoilt.loc[0, "rankme"], spoilt.loc[7, "quality"] = 0.0, np.nan
    assert len(fit_power_law(spoilt, fit=FEW).table) == 310
    with pytest.raises(UserError, match="no column rank"):
        fit_power_law(table, x="rank", fit=FEW)
    with pytest.raises(UserError, match="No row has finite"):
        usable(table.assign(rankme=-1.0), ["rankme"])


def test_base_runs_are_of_every_arm_and_a_run_may_be_of_two():
    table = pd.DataFrame(
        {"run": list("abcdef"), "factor": ["base", "mask", "mask+width", "width", "base", "lone"]}
    )
    assert list(in_arms(table)) == ["mask", "width", "lone"]
    found = {name: "".join(rows["run"]) for name, rows in arms(table, least=4).items()}
    assert found == {"mask": "abce", "width": "acde"}


YES, NO, MAYBE = Estimate(0.1, 0.05, 0.2), Estimate(-0.1, -0.2, -0.05), Estimate(0.0, -0.1, 0.1)
FORMS = ("constant", "offset", "saturating", "logarithmic", "linear")


def word(span=20.0, runs=40, b=YES, arms=None, **better):
    against = dict.fromkeys(FORMS, YES) | better
    return decide(span, runs, b, against, arms or {}).word


def test_the_rules_one_by_one():
    assert word() == "supported"
    assert word(offset=MAYBE) == "supported"  # it has the power law in it
    assert word(span=7.9) == word(runs=9) == word(span=float("nan")) == "cannot tell"
    assert word(b=NO) == word(constant=NO) == word(b=Estimate(0, -0.01, 0.01)) == "not"
    assert word(b=MAYBE) == word(constant=MAYBE) == "cannot tell"
    assert word(offset=NO) == word(linear=NO) == word(arms={"mask": NO}) == "partly"
    assert word(logarithmic=MAYBE) == word(saturating=MAYBE) == "cannot tell"
    assert word(arms={"mask": MAYBE}) == "supported"


def test_without_runs_each_row_is_one():
    rows = pd.DataFrame(
        {"rankme": [1.0, 2, 4, 8, 16, 32], "quality": [0.1, 0.12, 0.15, 0.18, 0.2, 0.24]}
    )
    ours, named = fit_power_law(rows), fit_power_law(rows.assign(run=list("abcdef")))
    assert ours.b == named.b and 0 < ours.b.low <= ours.b.high
