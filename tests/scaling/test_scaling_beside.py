"""What stands beside the answers: forms at settings not seen."""

import numpy as np
import pandas as pd
import pytest

from dasheng_lib.scaling.beside import form_errors


def settings(law, luck=0.3, own=0.0, seeds=3, seed=0):
    """Forty settings over a span of 64; ``law`` of rank in points, ``own`` luck of a setting."""
    rng = np.random.default_rng(seed)
    rows = []
    for i, rank in enumerate(np.geomspace(2, 128, 40)):
        mine = rng.normal(0, own)
        for s in range(seeds):
            quality = (law(rank) + mine + rng.normal(0, luck)) / 100
            row = {"run": f"{i}/{s}", "setting": str(i), "factor": "mask", "step": 9}
            rows.append(row | {"rankme": rank, "q": quality})
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
    found = form_errors(settings(law), ["q"]).loc["q"]
    assert found.idxmin() == name and found.idxmax() == "constant"
    assert found[name] == pytest.approx(0.3 / np.sqrt(3), rel=0.4)


def test_a_gain_below_0_is_no_power_law():
    found = form_errors(settings(lambda r: 3 * np.log(r) - 5), ["q"]).loc["q"]
    assert np.isnan(found["power"]) and found.idxmin() == "logarithmic"
