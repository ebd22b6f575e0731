"""Schedules that end within a second, for tests over the whole table of probes."""

from dataclasses import replace
from functools import partial

from dasheng_lib.evaluation import by_mlps
from dasheng_lib.evaluation.probes import PROBES
from dasheng_lib.evaluation.probes.mlp.probe import SCHEDULE

# Those at the paper's length differ from their short twins in nothing else.
SHORT = [name for name in PROBES if not name.endswith("-paper")]


def shorten(monkeypatch, share: float = 1e-3, epochs: int = 20, **mlp) -> None:
    """HARES's heads to a share of the paper's steps, ARCH's to some epochs, heareval's schedule to
    what is said; again, it is another."""
    monkeypatch.setattr(by_mlps, "SCHEDULE", replace(SCHEDULE, **mlp))
    for name in SHORT:
        probe = PROBES[name]
        if name.startswith("arch"):
            short = partial(probe.make, epochs=epochs)
        elif name.startswith("hares") and isinstance(probe.make, partial):
            short = partial(probe.make, share=share)
        else:
            continue
        monkeypatch.setitem(PROBES, name, replace(probe, make=short))
