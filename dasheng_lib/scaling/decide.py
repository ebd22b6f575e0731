"""What may be said of "quality follows one power law of rank", by rules laid down beforehand."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, NamedTuple

from dasheng_lib.scaling.fit import Estimate

Word = Literal["supported", "partly", "not", "cannot tell"]
NESTED = "offset"  # has the power law in it, so that it never loses by much
# On a fourfold span R^2 of all forms is above 0.95, and AICc misses the true one 36 times of 100.
SPAN = 8.0  # largest over smallest predictor, at least
RUNS = 10  # independent ones, at least
MATTERS = 0.05  # a rise over the whole span that is surely smaller than this is no rise


class Decision(NamedTuple):
    """One of four words, and the sentences that led to it."""

    word: Word
    reasons: tuple[str, ...]


def decide(
    span: float,
    runs: int,
    exponent: Estimate,
    better_than: Mapping[str, Estimate],
    arms: Mapping[str, Estimate],
) -> Decision:
    """Decide on the power law; the first rule that applies counts.

    1. **cannot tell**: fewer than ``RUNS`` runs or a span below ``SPAN``.
    2. **not**: quality falls (the exponent's interval is below 0), or surely rises by less than
       ``MATTERS`` over the whole span, or a constant predicts held-out runs better.
    3. **cannot tell**: the exponent's interval holds 0, or the power law does not predict
       held-out runs better than a constant.
    4. **partly**: quality rises with rank, but in some arm it falls, or another form predicts
       held-out runs better.
    5. **cannot tell**: the form that comes closest predicts held-out runs as well, so that
       something rises, and no one can say by which law.
    6. **supported**: none of these.

    "Better" and "falls" mean that the whole interval says so. A power law with an offset has the
    power law as a special case: it can speak against it, in 4, but not for a tie, in 5.

    Args:
        span: largest over smallest predictor.
        exponent: b of ``a R^b``.
        better_than: for each other form its held-out error less the power law's: above 0 where
            the power law is the better one; with a key ``constant``.
        arms: slope of ``log y`` over ``log x`` in each arm.
    """
    short = []
    if runs < RUNS:
        short.append(f"{runs} runs are too few: {RUNS} are the least.")
    if not span >= SPAN:
        short.append(f"The predictor spans x {span:.2g}, and x {SPAN:.2g} is the least.")
    if short:
        return Decision("cannot tell", tuple(short))

    constant = better_than["constant"]
    if exponent.below:
        return Decision("not", (f"Quality falls: b = {exponent}.",))
    if exponent.high * math.log(span) < math.log1p(MATTERS):
        return Decision("not", (f"Quality hardly rises over the whole span: b = {exponent}.",))
    if constant.below:
        return Decision("not", ("A constant predicts held-out runs better.",))
    if not exponent.above:
        return Decision("cannot tell", (f"The interval of b holds 0: b = {exponent}.",))
    if not constant.above:
        return Decision("cannot tell", ("A constant predicts held-out runs as well.",))

    partly = [f"In the arm {n} quality falls: slope {e}." for n, e in arms.items() if e.below]
    partly += [
        f"The form {name} predicts held-out runs better."
        for name, e in better_than.items()
        if e.below
    ]
    if partly:
        return Decision("partly", (f"Quality rises with rank: b = {exponent}.", *partly))
    others = {name: e for name, e in better_than.items() if name not in ("constant", NESTED)}
    closest = min(others, key=lambda name: others[name].value)
    ties = [name for name, e in others.items() if not e.above]
    if ties:
        reason = f"Quality rises with rank (b = {exponent}), but as well by another form: "
        return Decision("cannot tell", (f"{reason}{', '.join(ties)} (closest: {closest}).",))
    return Decision(
        "supported",
        (f"b = {exponent} over a span of x {span:.2g}; held-out runs favour it over {closest}.",),
    )
