"""Quality against rank as a power law, with intervals, other forms and a decision.

Shapes: B resamples (the first is the data), G runs, N rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd

from dasheng_lib.scaling.averages import draw_tasks, quality
from dasheng_lib.scaling.compare import robust_delta, run_errors, wins
from dasheng_lib.scaling.curves import Curves, fit_form, fit_weighted
from dasheng_lib.scaling.decide import Decision, decide
from dasheng_lib.scaling.fit import FIT, Array, Estimate, Fit
from dasheng_lib.scaling.forms import FORMS, POWER
from dasheng_lib.scaling.rows import arms, usable
from dasheng_lib.scaling.simpson import simpson

FORM_DRAWS = 1000  # resamples in which all forms compete


@dataclass(frozen=True, eq=False)
class PowerLaw:
    """``y = a x^b``, how sure it is, and whether it is one; the latter is found when asked for.

    Attributes:
        x, y: columns of the table that was fitted.
        a, b: with intervals from resampled runs, and tasks if given.
        curve: the fit to all rows.
        table, fit: the rows, and how they were fitted.
        counts_BG, code_N, y_BN: how often each run was drawn, each row's run, and quality in each
            resample.
        draws_BP: a and b of each resample.
    """

    x: str
    y: str
    a: Estimate
    b: Estimate
    curve: Curves = field(repr=False)
    table: pd.DataFrame = field(repr=False)
    fit: Fit
    counts_BG: Array = field(repr=False)
    code_N: np.ndarray = field(repr=False)
    y_BN: Array = field(repr=False)
    draws_BP: Array = field(repr=False)

    @property
    def runs(self) -> int:
        """What the law rests on."""
        return self.counts_BG.shape[1]

    @property
    def span(self) -> float:
        """Largest over smallest x."""
        return float(self.table[self.x].max() / self.table[self.x].min())

    @property
    def r2(self) -> float:
        """Share of the variance of log quality that is explained."""
        return self.curve.r2(*self._columns)

    def predict(self, x: Array) -> Array:
        """Values at ``x``."""
        return self.a.value * np.asarray(x, float) ** self.b.value

    def band(self, x: Array) -> tuple[Array, Array]:
        """Ends of the curve's interval at each ``x``, from the draws of ``a`` and ``b``."""
        a_B1, b_B1 = self.draws_BP[:, :1], self.draws_BP[:, 1:]
        curves_BX = a_B1 * np.asarray(x, float) ** b_B1
        ends = [self.fit.estimate(drawn, self.runs, spent=2) for drawn in curves_BX.T]
        return np.array([end.low for end in ends]), np.array([end.high for end in ends])

    @cached_property
    def forms(self) -> dict[str, Curves]:
        """Every form fitted to all rows, the power law first."""
        x_N, y_N = self._columns
        return {form.name: fit_form(form, x_N, y_N, self.fit.delta) for form in FORMS}

    @cached_property
    def worse(self) -> dict[str, Estimate]:
        """Held-out error of each form less the power law's; above 0: the power law is better."""
        power_G = self._held_out["power"]
        return {
            name: self.fit.estimate(self.counts_BG @ (wrong_G - power_G) / self.runs, self.runs)
            for name, wrong_G in self._held_out.items()
        }

    @cached_property
    def arms(self) -> dict[str, Estimate]:
        """Slope of log y over log x in each arm; none if there are fewer than two arms."""
        if "factor" not in self.table or len(arms(self.table)) < 2:
            return {}
        return simpson(self.table, self.x, self.y, replace(self.fit, draws=Fit.draws)).arms

    @cached_property
    def decision(self) -> Decision:
        """A word on the power law, by the rules of :func:`dasheng_lib.scaling.decide.decide`."""
        worse = {name: e for name, e in self.worse.items() if name != "power"}
        return decide(self.span, self.runs, self.b, worse, self.arms)

    def compare(self) -> pd.DataFrame:
        """The forms side by side, a row each, the power law first.

        Returns:
            ``formula, a, b, c`` (its parameters), ``r2`` (of the logs), ``held_out`` (mean error
            at a run that the fit did not see, see :func:`dasheng_lib.scaling.compare.errors`),
            ``worse, worse_low, worse_high`` (than the power law's), ``wins`` (share of resamples
            of runs in which it errs least on the runs not drawn).
        """
        x_N, y_N = self._columns
        drawn_BN = self.counts_BG[1 : FORM_DRAWS + 1][:, self.code_N]
        y = self.y_BN[1 : FORM_DRAWS + 1] if len(self.y_BN) > 1 else self.y_BN
        resampled = {
            name: fit_weighted(curve, x_N, y, drawn_BN, self._delta)
            for name, curve in self.forms.items()
        }
        won = wins(resampled, x_N, y, drawn_BN, self._delta)
        rows = {}
        for name, curve in self.forms.items():
            values = dict(zip(curve.form.parameters, curve.parameters_BP[0].tolist(), strict=True))
            parameters = [values.get(parameter, np.nan) for parameter in ("a", "b", "c")]
            worse, held_out = self.worse[name], self._held_out[name].mean()
            rest = (curve.r2(x_N, y_N), held_out, worse.value, worse.low, worse.high, won[name])
            rows[name] = (curve.form.formula, *parameters, *rest)
        columns = ["formula", "a", "b", "c", "r2", "held_out", "worse", "worse_low", "worse_high"]
        table = pd.DataFrame.from_dict(rows, orient="index", columns=[*columns, "wins"])
        return table.rename_axis("form")

    @property
    def _columns(self) -> tuple[Array, Array]:
        return self.table[self.x].to_numpy(float), self.table[self.y].to_numpy(float)

    @cached_property
    def _delta(self) -> float:
        """At which forms are compared."""
        x_N, y_N = self._columns
        return robust_delta(y_N, self.curve.predict(x_N)[0])

    @cached_property
    def _held_out(self) -> dict[str, Array]:
        """Error of each form at each run, fitted to the others, ``[G]``."""
        x_N, y_N = self._columns
        return {
            name: run_errors(curve, x_N, y_N, self.code_N, self._delta)
            for name, curve in self.forms.items()
        }


def fit_power_law(
    table: pd.DataFrame,
    x: str = "rankme",
    y: str = "quality",
    tasks: Mapping[str, str] | None = None,
    fit: Fit = FIT,
) -> PowerLaw:
    """Fit ``y = a x^b`` to a sweep; the result can be held against other forms, and judged.

    Every row counts once; :func:`dasheng_lib.scaling.rows.last_checkpoints` leaves one a run.
    All rows of a run are drawn, and held out, together.

    Args:
        table: a row a checkpoint, with its ``run`` (else each row is one) and, where there are
            arms, its ``factor``; rows where x or y is missing or not above 0 are left out.
        x, y: columns, such as one domain's quality.
        tasks: domain of each column of scores that ``y`` is the mean of: then tasks are
            resampled too, within their domains.

    Raises:
        UserError: a column is absent, or nothing is left of it.
        ValueError: ``y`` is not what its tasks give.
    """
    table = usable(table, [x, y, *(tasks or ())])
    if "run" not in table:
        table = table.assign(run=range(len(table)))
    x_N, y_N = table[x].to_numpy(float), table[y].to_numpy(float)
    rng = np.random.default_rng(fit.seed)
    counts_BG, code_N = fit.resample(table["run"], rng)
    y_BN = y_N[None]
    if tasks is not None:
        # Records have six digits.
        if not np.allclose(quality(table, tasks), y_N, rtol=2e-5, atol=0):
            raise ValueError("y is not the mean over domains of the mean over their tasks")
        drawn_BT = draw_tasks(tasks, fit.draws, rng)
        y_BN = np.concatenate([y_BN, quality(table, tasks, drawn_BT)])
    power = fit_form(POWER, x_N, y_N, fit.delta)
    drawn_BN = counts_BG[1:, code_N]
    y_drawn = y_BN[1:] if tasks is not None else y_BN
    resampled = fit_weighted(power, x_N, y_drawn, drawn_BN, fit.delta)
    draws_BP = np.concatenate([power.parameters_BP, resampled.parameters_BP])
    a, b = (fit.estimate(values, counts_BG.shape[1], spent=2) for values in draws_BP.T)
    return PowerLaw(
        x=x,
        y=y,
        a=a,
        b=b,
        curve=power,
        table=table,
        fit=fit,
        counts_BG=counts_BG,
        code_N=code_N,
        y_BN=y_BN,
        draws_BP=draws_BP,
    )
