"""Distances from the line of one family: closed forms."""

import numpy as np
import pandas as pd
import pytest

from dasheng_lib.scaling.off_line import off_line


def runs(family, above, ranks, seeds=1, wobble=0.0):
    """Settings on 10 + 3 log2 rank points, ``above`` it; seeds lie symmetrically around."""
    rows = []
    for place, rank in enumerate(ranks):
        for seed in range(seeds):
            off = above[place % len(above)] + wobble * (seed - (seeds - 1) / 2)
            quality = (10 + 3 * np.log2(rank) + off) / 100
            rows.append({"family": family, "setting": f"{family}{place}", "q": quality})
            rows[-1] |= {"rankme": rank, "state": "healthy"}
    return pd.DataFrame(rows)


def test_the_line_is_of_one_family_and_the_others_lie_where_they_were_put():
    own = runs("dasheng", [0.0], [4, 8, 16, 32])
    other = runs("byol", [1.0, 3.0], [5, 10, 20, 40], seeds=3, wobble=2.0)
    found = off_line(pd.concat([own, other, runs("hubert", [-7.0], [9])]), "q")
    assert (found.slope, found.level) == pytest.approx((3, 10))
    assert found.usual == pytest.approx(0, abs=1e-9)
    byol = found.others.loc["byol"]
    assert (byol["settings"], byol["points"]) == (4, pytest.approx(2))
    half = 3.182446 * np.std([1, 3, 1, 3], ddof=1) / 2  # Student's of 3 degrees of freedom
    assert (byol["low"], byol["high"]) == pytest.approx((2 - half, 2 + half), rel=1e-5)
    one = found.others.loc["hubert"]
    assert one["points"] == pytest.approx(-7) and one[["low", "high"]].isna().all()


def test_what_did_not_end_healthy_has_no_say():
    table = pd.concat([runs("dasheng", [0.0], [4, 8, 16]), runs("byol", [2.0], [5, 10])])
    bad = pd.concat([runs("dasheng", [-30.0], [6]), runs("byol", [-30.0], [7])])
    bad = bad.assign(state="collapsed", setting="bad")
    found = off_line(pd.concat([table, bad]), "q")
    assert found.slope == pytest.approx(3) and found.others.at["byol", "points"] == pytest.approx(2)
    assert found.others.at["byol", "settings"] == 2


def test_how_far_its_own_settings_lie_from_the_line():
    found = off_line(runs("dasheng", [1.0, -1.0, -1.0, 1.0], [4, 8, 16, 32]), "q")
    assert found.slope == pytest.approx(3)
    assert found.usual == pytest.approx(np.sqrt(4 / 2)) and found.others.empty
