"""A sweep's answers to the registered questions, a word for each measure.

Shapes: A arms, B permutations, K columns held fixed, M measures, N settings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dasheng_lib.scaling.fit import Array
from dasheng_lib.scaling.one_curve import OneCurve, one_curve
from dasheng_lib.scaling.rules import (
    Rules,
    association_words,
    claim_words,
    curve_words,
    holm,
    read_rules,
)
from dasheng_lib.scaling.settings import LEVELS, SLOPES, Layout, Settings, rows_to_judge, untrained
from dasheng_lib.scaling.slope import Slope, permutations, slope

POOLED, WITHIN, CURVE, CLAIM = "pooled", "within arms", "one curve", "claim"
UNTRAINED = "untrained"


@dataclass(frozen=True, eq=False)
class SlopeTest:
    """Which settings are asked for a slope, and how.

    Attributes:
        rows: the settings.
        fixed_NK: what else is fitted: a constant, or the shares of arms.
        order_BN: permutations of the rows; None for an arm by itself.
    """

    rows: np.ndarray
    fixed_NK: Array
    order_BN: np.ndarray | None


@dataclass(frozen=True, eq=False)
class Plan:
    """What the answers need of a design and can be made once for many simulated sweeps.

    Attributes:
        levels_NA: shares of the arms of two settings or more.
        slopes_NA: of three or more.
        tests: of slopes, by scope.
    """

    rules: Rules
    levels_NA: Array
    slopes_NA: Array
    tests: dict[str, SlopeTest]


@dataclass(frozen=True, eq=False)
class Answers:
    """Statistics and words by scope; words are ``[M]``."""

    slopes: dict[str, Slope]
    curve: OneCurve
    words: dict[str, Array]


def plan(design: Layout, rules: Rules, seed: int = 0) -> Plan:
    """Prepare the answers for settings laid out so."""
    rng = np.random.default_rng(seed)
    every = np.arange(len(design.names))
    levels_NA = design.shares(LEVELS)

    def test(rows: np.ndarray, fixed_NK: Array, block_N: np.ndarray) -> SlopeTest:
        return SlopeTest(rows, fixed_NK, permutations(block_N, rules.permutations, rng))

    tests = {
        POOLED: test(every, np.ones((len(every), 1)), np.zeros(len(every), int)),
        WITHIN: test(every, levels_NA, design.block_N),
    }
    for name, arms in rules.together.items():
        if set(arms) <= set(design.arms):
            in_NA = design.in_NA[:, [design.arms.index(arm) for arm in arms]].astype(float)
            rows = np.flatnonzero(in_NA.any(1))
            shares_NA = in_NA[rows] / in_NA[rows].sum(1, keepdims=True)
            tests[name] = test(rows, shares_NA, design.block_N[rows])
    for arm, in_N in zip(design.arms, design.in_NA.T, strict=True):
        rows = np.flatnonzero(in_N)
        if len(rows) >= rules.arm_settings:
            tests[arm] = SlopeTest(rows, np.ones((len(rows), 1)), None)
    return Plan(rules, levels_NA, design.shares(SLOPES), tests)


def answer(x_N: Array, y_MN: Array, planned: Plan) -> Answers:
    """Judge settings: log2 of rank, and measures in points."""
    rules, slopes, words = planned.rules, {}, {}
    for scope, test in planned.tests.items():
        s = slope(x_N[test.rows], y_MN[:, test.rows], test.fixed_NK, test.order_BN)
        slopes[scope] = s
        words[scope] = slope_words(s, rules, alone=test.order_BN is None)
    if np.histogram(x_N, 3)[0].min() < rules.each_third:
        words[POOLED] = np.full(len(y_MN), "cannot tell", object)
    curve = one_curve(x_N, y_MN, planned.levels_NA, planned.slopes_NA)
    words[CURVE] = curve_words(holm(curve.p), holm(curve.p_closer_than(rules.spread)), rules)
    words[CLAIM] = claim_words(words[POOLED], words[WITHIN], words[CURVE])
    return Answers(slopes, curve, words)


def slope_words(s: Slope, rules: Rules, alone: bool = False) -> Array:
    """The word of each measure's slope; Holm's correction is not for an arm ``alone``."""
    p, p_none = s.p, s.p_less_than(rules.matters)
    if not alone:
        p, p_none = holm(p), holm(p_none)
    return association_words(s.value, p, p_none, rules)


def judge_sweep(table: pd.DataFrame, measures: Sequence[str], x: str = "rankme") -> pd.DataFrame:
    """Ask the registered questions of a sweep.

    Args:
        table: a row a judged step, with ``run, setting, factor, seed, step``, and ``family, width,
            depth`` if it has untrained rows, of step 0; see
            :func:`dasheng_lib.scaling.settings.rows_to_judge`.
        measures: columns of shares from 0 to 1 that are judged together (Holm).

    Returns:
        A row a measure and scope: ``measure, scope, word, sentence``. Scopes are "pooled",
        "within arms", arms that are asked together, each arm by itself, "untrained" (the same
        question of the sweep's untrained encoders, part of no claim), "one curve" and "claim".
        ``value, low, high`` are points for each doubling of rank with an interval of 95 %; for
        "one curve" the arms' spread in points with one of 90 %. ``rise`` is the value over the
        settings' own range of rank; ``p`` and ``p_margin``, that it is no smaller than the
        margin, are before Holm's correction; ``settings, runs``.

    Raises:
        UserError: a column is absent, or nothing is left of it.
    """
    rules = read_rules()
    settings = Settings.of(rows_to_judge(table, x, measures), measures, x)
    planned = plan(settings.layout, rules)
    found = answer(settings.x_N, settings.y_MN, planned)
    out = [
        _lines(scope, settings, found.words[scope], rules, planned.tests[scope].rows).assign(
            **_numbers(s, settings.x_N[planned.tests[scope].rows], rules)
        )
        for scope, s in found.slopes.items()
    ]
    if (table["step"] == 0).any():
        start = Settings.of(untrained(table, x, measures), measures, x)
        if start.y_MN.any():  # their gain is 0 by definition
            s = slope(start.x_N, start.y_MN)
            lines = _lines(UNTRAINED, start, slope_words(s, rules), rules)
            out.append(lines.assign(**_numbers(s, start.x_N, rules)))
    curve, lines = found.curve, _lines(CURVE, settings, found.words[CURVE], rules)
    low, high = curve.spread_interval()
    numbers = {"value": curve.spread, "low": low, "high": high, "p": curve.p}
    out.append(lines.assign(**numbers, p_margin=curve.p_closer_than(rules.spread)))
    out.append(_lines(CLAIM, settings, found.words[CLAIM], rules))
    return pd.concat(out, ignore_index=True)


def _numbers(s: Slope, x_N: Array, rules: Rules) -> dict[str, Array]:
    low, high = s.interval()
    found = {"value": s.value, "low": low, "high": high, "rise": s.value * np.ptp(x_N)}
    return {**found, "p": s.p, "p_margin": s.p_less_than(rules.matters)}


def _lines(
    scope: str,
    settings: Settings,
    words: Array,
    rules: Rules,
    rows: np.ndarray | slice = slice(None),
) -> pd.DataFrame:
    sentences, seeds_N = rules.words[question_of(scope)], settings.layout.seeds_N[rows]
    return pd.DataFrame(
        {
            "measure": settings.measures,
            "scope": scope,
            "word": words,
            "sentence": [sentences[word] for word in words],
            "settings": len(seeds_N),
            "runs": int(seeds_N.sum()),
        }
    )


def question_of(scope: str) -> str:
    """The registered question that a scope is asked."""
    return {CURVE: "one_curve", CLAIM: "claim"}.get(scope, "association")
