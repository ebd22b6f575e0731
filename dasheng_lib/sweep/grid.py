"""A grid in YAML: a base point, and arms that leave it in one direction each."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from dasheng_lib.common.errors import UserError, one_line
from dasheng_lib.common.places import expanded
from dasheng_lib.common.settings import conforms
from dasheng_lib.common.yaml_files import read_yaml
from dasheng_lib.corpora import CORPORA
from dasheng_lib.corpora.fetch.unpack import plain_name
from dasheng_lib.objectives.family import FAMILIES
from dasheng_lib.sweep.protocol import Protocol
from dasheng_lib.train.config import RunConfig
from dasheng_lib.train.recipes import family_defaults

OF_THE_AUDIO = ("corpus", "data")
# Another family brings its own of these: the settings of a task, and the optimizer's.
OF_THE_FAMILY = {
    *(field.name for family in FAMILIES.values() for field in fields(family.config)),
    *("lr", "betas", "weight_decay", "warmup", "schedule"),
}
MOST_RUNS = 10_000
OF_THE_GRID = ("keep", "hold_out", "epoch")  # said by ``judged_at`` and the protocol


@dataclass(frozen=True)
class Trial:
    """One run of a sweep.

    Attributes:
        run: its name, made of what it changes about the base point.
        setting: the same without the seed: runs that share it differ in nothing else.
        factor: the arms that it belongs to, joined by ``+``. The base point is called ``base``,
            and belongs besides to those arms whose lists hold it.
        config: of the pretraining.
        corpus: that it trains on.
        data: share of that corpus, see :func:`dasheng_lib.corpora.split.portion`.
        steps: kept and judged, ascending, from 0 to the last.
    """

    run: str
    setting: str
    factor: str
    config: RunConfig
    corpus: str
    data: float

    @property
    def steps(self) -> tuple[int, ...]:
        return self.config.snapshots


@dataclass(frozen=True)
class Grid:
    """All runs of a sweep, in the order in which they are begun, and how they are judged."""

    trials: tuple[Trial, ...]
    protocol: Protocol


def read_grid(path: Path | str) -> Grid:
    """Read a grid.

    ``base`` maps settings of a run to values: ``family``, fields of
    :class:`dasheng_lib.train.config.RunConfig`, of the family's task and of
    :class:`dasheng_lib.train.schedule.TrainConfig`, ``corpus``, and ``data`` (a share of it).
    ``arms`` maps a name to settings with a list of values each, of which every combination is a
    run, or to a list of such mappings. A run of another ``family`` than the base's takes the
    settings of the task and of the optimizer from
    :func:`dasheng_lib.train.recipes.family_defaults`, unless its arm says them.
    ``judged_at`` lists shares of a run's steps; ``protocol`` maps fields of
    :class:`dasheng_lib.sweep.protocol.Protocol`.

    Raises:
        UserError: the file is absent, no YAML, or names a setting or value that there is not.
    """
    path = expanded(path)
    text = read_yaml(path, "see data_manifests/sweeps for two grids")
    if not isinstance(text, dict) or "base" not in text:
        raise UserError(f"{path} has no mapping `base`: see data_manifests/sweeps for two grids.")
    known = {"base": {}, "arms": {}, "judged_at": [], "protocol": {}}
    if unknown := sorted(map(str, set(text) - set(known))):
        raise UserError(f"{path} has {', '.join(unknown)}; known are {', '.join(known)}.")
    try:
        said = {name: text.get(name) or empty for name, empty in known.items()}
        for name, value in said.items():
            _has_words(name, value, type(known[name]))
        protocol = Protocol(**{k: _frozen(v) for k, v in said["protocol"].items()})
        shares = tuple(said["judged_at"]) or Protocol.judged_at
        replace(protocol, judged_at=shares)  # which checks them
        return Grid(_trials(said["base"], said["arms"], shares, protocol), protocol)
    except (TypeError, ValueError) as error:
        raise UserError(f"{path}: {one_line(error)}.") from error


def _trials(
    base: Mapping[str, Any],
    arms: Mapping[str, Any],
    shares: tuple[float, ...],
    protocol: Protocol,
) -> tuple[Trial, ...]:
    found: dict[tuple, Trial] = {}
    settings_of: dict[tuple, str] = {}
    for arm, changes in [("base", {}), *_changes(arms)]:
        settings = {**base, **changes}
        own = OF_THE_FAMILY if base.get("family") != settings.get("family") else ()
        settings = {k: v for k, v in settings.items() if k in changes or k not in own}
        # Of another family, what equals the base's is said all the same: its default may differ.
        changes = {k: v for k, v in changes.items() if k in own or base.get(k) != v}
        trial = _trial(arm, settings, changes, shares, protocol)
        # By what a run is, not by its name: a default that is spelt out is no other run.
        known = found.get(_what(trial))
        if known is None:
            setting = settings_of.setdefault(_what(trial, seed=0), trial.setting)
            found[_what(trial)] = replace(trial, setting=setting)
        elif arm not in known.factor.split("+"):
            found[_what(trial)] = replace(known, factor=f"{known.factor}+{arm}")
        if len(found) > MOST_RUNS:
            raise ValueError(f"there are more than {MOST_RUNS} runs")
    names = Counter(trial.run for trial in found.values())
    if twice := [name for name, count in names.items() if count > 1]:
        raise ValueError(f"several runs are called {', '.join(twice)}")
    return tuple(found.values())


def _has_words(name: str, value: Any, kind: type) -> None:
    """A mapping has texts for names."""
    if not isinstance(value, kind):
        raise ValueError(f"{name} is no {'list' if kind is list else 'mapping'}")
    if kind is dict and (strange := [key for key in value if not isinstance(key, str)]):
        raise ValueError(f"{name} has the name {strange[0]!r}, which is no text")


def _what(trial: Trial, **train: Any) -> tuple[RunConfig, str, float]:
    """All that determines a run, with something of its training replaced."""
    config = trial.config
    return replace(config, train=replace(config.train, **train)), trial.corpus, trial.data


def _changes(arms: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for arm, settings in arms.items():
        for part in settings if isinstance(settings, list) else [settings]:
            _has_words(f"arm {arm}", part, dict)
            lists = [value if isinstance(value, list) else [value] for value in part.values()]
            for values in itertools.product(*lists):
                yield arm, dict(zip(part, values, strict=True))


def _trial(
    arm: str,
    settings: Mapping[str, Any],
    changes: Mapping[str, Any],
    shares: tuple[float, ...],
    protocol: Protocol,
) -> Trial:
    if taken := set(settings) & set(OF_THE_GRID):
        raise ValueError(f"{', '.join(sorted(taken))} follows from judged_at and the protocol")
    others = {"family", *OF_THE_AUDIO}
    config = family_defaults(settings.get("family", "dasheng")).changed(
        {name: _frozen(value) for name, value in settings.items() if name not in others}
    )
    judged = {max(1, round(share * config.train.steps)) for share in shares if share}
    config = replace(config, hold_out=protocol.hold_out, keep=tuple(sorted(judged)))
    data, corpus = settings.get("data", 1.0), settings.get("corpus", "pocket")
    if not conforms(data, float) or not 0 < data <= 1:
        raise ValueError(f"data is a share of the corpus, above 0 and at most 1, not {data!r}")
    if corpus not in CORPORA:
        raise ValueError(f"corpus is {', '.join(CORPORA)}, not {corpus!r}")
    but_seed = {key: value for key, value in changes.items() if key != "seed"}
    if FAMILIES[config.family].labelled and corpus != protocol.corpora[0]:
        raise ValueError(
            f"{config.family} is examined by the labels of {protocol.corpora[0]}: "
            f"{corpus} may number them otherwise"
        )
    return Trial(_name(changes), _name(but_seed), arm, config, corpus, float(data))


def _name(changes: Mapping[str, Any]) -> str:
    said = {key: "+".join(map(str, v)) if isinstance(v, list) else v for key, v in changes.items()}
    name = ".".join(f"{key}-{value}" for key, value in sorted(said.items())) or "base"
    name = name.replace("/", "_")  # of a teacher's path; a run is one folder
    if plain_name(name) != name:
        raise ValueError(f"{name[:80]!r} cannot be the name of a run's folder")
    return name


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
