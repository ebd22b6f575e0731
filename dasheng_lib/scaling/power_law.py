"""Quality against rank as a power law, with intervals, rivals and a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from dasheng_lib.scaling import bootstrap
from dasheng_lib.scaling.bootstrap import Estimate
from dasheng_lib.scaling.compare import robust_delta
from dasheng_lib.scaling.descend import Scale
from dasheng_lib.scaling.fit import DELTA, fit_form, fit_weighted
from dasheng_lib.scaling.forms import FORMS, POWER, Array, Form
from dasheng_lib.scaling.rivals import Rival, rivals
from dasheng_lib.scaling.rows import codes, usable
from dasheng_lib.scaling.simpson import arm_slopes
from dasheng_lib.scaling.verdict import RULES, Rules, Verdict, judge


@dataclass(frozen=True, eq=False)
class PowerLaw:
    """``y = a x^b``, how sure it is, and whether it is one.

    Attributes:
        x, y: columns.
        a, b: with intervals from resampled runs, and tasks if given.
        r2: of the power law, on the scale of the fit.
        runs, rows, span: how much it rests on; ``span`` is largest over smallest x.
        rivals: every form, the power law first.
        arms: slope of log y over log x in each arm.
        verdict: by the rules of :func:`dasheng_lib.scaling.verdict.judge`.
        scale, delta, level, draws: how it was fitted.
        compare_delta: at which forms were compared.
        a_draws, b_draws: what the bootstrap drew, for pictures.
    """

    x: str
    y: str
    a: Estimate
    b: Estimate
    r2: float
    runs: int
    rows: int
    span: float
    rivals: tuple[Rival, ...]
    arms: dict[str, Estimate]
    verdict: Verdict
    scale: Scale
    delta: float
    compare_delta: float
    level: float
    draws: int
    a_draws: Array = field(repr=False)
    b_draws: Array = field(repr=False)

    def band(self, x: Array) -> tuple[Array, Array]:
        """Ends of the curve's interval at each ``x``, from the draws of ``a`` and ``b``."""
        curves = self.a_draws[:, None] * np.asarray(x, float) ** self.b_draws[:, None]
        how = {"spent": 2, "level": self.level}
        ends = [bootstrap.interval(np.nan, drawn, self.runs, **how) for drawn in curves.T]
        return np.array([end.low for end in ends]), np.array([end.high for end in ends])

    def table(self) -> pd.DataFrame:
        """The forms side by side, a row each."""
        rows = [
            {
                "form": r.form.name,
                "formula": r.form.formula,
                **{name: r.parameters.get(name, np.nan) for name in ("a", "b", "c")},
                "r2": r.r2,
                "aicc": r.aicc,
                "held_out": r.held_out,
                "worse": r.worse_than_power.value,
                "worse_low": r.worse_than_power.low,
                "worse_high": r.worse_than_power.high,
                "wins": r.wins,
            }
            for r in self.rivals
        ]
        return pd.DataFrame(rows).set_index("form")


def fit_power_law(
    table: pd.DataFrame,
    x: str = "rankme",
    y: str = "quality",
    *,
    cluster: str = "run",
    factor: str | None = "factor",
    tasks: Mapping[str, str] | None = None,
    scale: Scale = "log",
    delta: float = DELTA,
    compare_delta: float | None = None,
    draws: int = 4000,
    level: float = 0.95,
    forms: Sequence[Form] = FORMS,
    rules: Rules = RULES,
    seed: int = 0,
) -> PowerLaw:
    """Fit ``y = a x^b`` to a sweep, hold it against other forms, and judge it.

    Every row counts once; :func:`dasheng_lib.scaling.rows.last_checkpoints` leaves one a run.
    All rows of a run are drawn, and held out, together.

    Args:
        table: a row a checkpoint; rows where x or y is missing or not above 0 are left out.
        x, y: columns, such as one domain's quality.
        cluster: column of what is independent.
        factor: column of the arms, if there is one; see :func:`dasheng_lib.scaling.rows.arms`.
        tasks: domain of each column of scores that ``y`` is the mean of: then tasks are
            resampled too, within their domains.
        scale: residuals of log y, or of y ("raw").
        delta: of Huber's loss, in units of the residual; infinite for least squares.
        compare_delta: the same where forms are compared on held-out runs; by default
            :func:`dasheng_lib.scaling.compare.robust_delta` of the power law's residuals.
        draws, level, seed: of the bootstrap.
        forms: the rivals, the power law and the constant among them.
        rules: of the verdict.

    Raises:
        UserError: a column is absent, or nothing is left of it.
        ValueError: ``y`` is not what its tasks give.
    """
    table = usable(table, [x, y, *(tasks or ())])
    x_N, y_N = table[x].to_numpy(float), table[y].to_numpy(float)
    code_N, runs = codes(table[cluster])
    how = {"scale": scale, "delta": delta}
    rng = np.random.default_rng(seed)
    counts_BG = bootstrap.draw_runs(runs, draws, rng)
    y_draws = _resampled_quality(table, y_N, tasks, draws, rng)

    best = {form.name: fit_form(form, x_N, y_N, **how) for form in forms}
    power = best["power"]
    resampled = fit_weighted(POWER, x_N, y_draws, counts_BG[:, code_N], around=power, **how)
    a, b = (
        bootstrap.interval(value, drawn, runs, spent=2, level=level)
        for value, drawn in zip(power.parameters_BP[0], resampled.parameters_BP.T, strict=True)
    )
    if compare_delta is None:
        compare_delta = robust_delta(y_N, power.predict(x_N)[0], scale)
    how["compare_delta"] = compare_delta
    every = rivals(best, x_N, y_N, y_draws, counts_BG, code_N, level=level, **how)
    slopes = {}
    if factor and factor in table:
        slopes = arm_slopes(table, x, y, cluster=cluster, factor=factor, level=level, seed=seed)
    span = float(x_N.max() / x_N.min())
    better_than = {r.form.name: r.worse_than_power for r in every[1:]}
    return PowerLaw(
        x=x,
        y=y,
        a=a,
        b=b,
        r2=every[0].r2,
        runs=runs,
        rows=len(table),
        span=span,
        rivals=every,
        arms=slopes,
        verdict=judge(span, runs, b, better_than, slopes, rules),
        level=level,
        draws=draws,
        a_draws=resampled.parameters_BP[:, 0],
        b_draws=resampled.parameters_BP[:, 1],
        **how,
    )


def _resampled_quality(
    table: pd.DataFrame,
    y_N: Array,
    tasks: Mapping[str, str] | None,
    draws: int,
    rng: np.random.Generator,
) -> Array:
    if tasks is None:
        return y_N
    # Records have six digits.
    if not np.allclose(bootstrap.quality(table, tasks), y_N, rtol=2e-5, atol=0):
        raise ValueError("y is not the mean over domains of the mean over their tasks")
    return bootstrap.quality(table, tasks, bootstrap.draw_tasks(tasks, draws, rng))
