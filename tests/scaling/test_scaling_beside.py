"""What stands beside the answers: forms at settings not seen, other causes."""

import numpy as np
import pandas as pd
import pytest

from dasheng_lib.scaling import Fit
from dasheng_lib.scaling.beside import CONTROLS, forms, partials


def settings(law, luck=0.3, own=0.0, seeds=3, seed=0):
    """Forty settings over a span of 64; ``law`` of rank in points, ``own`` luck of a setting."""
    rng = np.random.default_rng(seed)
    rows = []
    for i, rank in enumerate(np.geomspace(2, 128, 40)):
        mine = rng.normal(0, own)
        controls = dict(zip(CONTROLS, rng.uniform(1, 2, len(CONTROLS)), strict=True))
        for s in range(seeds):
            quality = (law(rank) + mine + rng.normal(0, luck)) / 100
            row = {"run": f"{i}/{s}", "setting": str(i), "factor": "mask", "step": 9, **controls}
            rows.append(row | {"rankme": rank, "q": quality, "lr": 1 / rank})
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("name", "law"),
    [
        ("power", lambda r: 10 * r**0.35),
        ("logarithmic", lambda r: 20 + 6 * np.log(r)),
        ("linear", lambda r: 20 + 0.2 * r),
    ],
)
def test_the_true_form_predicts_settings_best_and_in_points(name, law):
    found = forms(settings(law), ["q"]).loc["q"]
    assert found.idxmin() == name and found.idxmax() == "constant"
    assert found[name] == pytest.approx(0.3 / np.sqrt(3), rel=0.4)


def test_a_gain_below_0_is_no_power_law():
    found = forms(settings(lambda r: 3 * np.log(r) - 5), ["q"]).loc["q"]
    assert np.isnan(found["power"]) and found.idxmin() == "logarithmic"


def test_the_learning_rate_is_among_what_is_held_fixed():
    table = settings(lambda r: 30 + 3 * np.log(r), seeds=1)
    found = partials(table, ["q"], fit=Fit(draws=300)).loc["q"]
    assert found["plain"] > 0.95 and abs(found["partial"]) < 0.4  # the rate says it all
    free = table.assign(lr=1.0)
    assert partials(free, ["q"], fit=Fit(draws=300)).loc["q", "partial"] > 0.9
    many = pd.concat([table.assign(run=table["run"] + str(i)) for i in range(4)])
    again = partials(many, ["q"], fit=Fit(draws=300)).loc["q"]
    assert again.to_numpy() == pytest.approx(found.to_numpy())  # seeds are no further settings
