"""The pretraining run that a chapter asks for: its parameters, checked and made a configuration.

A chapter that looks at a run declares ``corpus`` and the nine parameters of it that
:data:`RUN` names, each with a default and a comment of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import replace
from typing import Any

from dasheng_lib.book.parameters import (
    CORPUS,
    Check,
    at_least,
    between,
    check_parameters,
    one_of,
)
from dasheng_lib.book.words.sentences import listed
from dasheng_lib.encoders import AudioEncoder, load_encoder
from dasheng_lib.model import PRESETS
from dasheng_lib.model.encoder import encoder_config
from dasheng_lib.objectives.mae import MAEConfig
from dasheng_lib.train.config import RunConfig
from dasheng_lib.train.folder import Run
from dasheng_lib.train.recipes import RECIPES
from dasheng_lib.train.schedule import TrainConfig


def _is_size(name: str) -> bool:
    try:
        encoder_config(name)
    except ValueError:
        return False
    return True


RUN = {
    "preset": Check(f"{', '.join(PRESETS)} or WIDTHxDEPTHxHEADS, as in 96x4x3", _is_size),
    "steps": at_least(1),
    "batch": at_least(1),
    "clip_seconds": between(0.1, 10.08),
    "mask_ratio": between(0, 1, open=True),
    "group": at_least(1),
    "vary": one_of(True, False),
    "lr": between(0, 1, open=True),
    "seed": at_least(0),
}


def check_run_parameters(namespace: MutableMapping[str, Any], **checks: Check) -> RunConfig:
    """Check the parameters of a notebook, those of its run among them; the run's configuration.

    Args:
        namespace, **checks: as of :func:`.parameters.check_parameters`; checks of the corpus and of
            the run need not be given.

    Raises:
        ParameterError: as there, before anything runs.
    """
    check_parameters(namespace, corpus=CORPUS, **RUN, **checks)
    asked = {name: namespace[name] for name in RUN}
    quick = RECIPES["quick"]
    return replace(
        quick,
        preset=asked["preset"],
        task=MAEConfig(mask_ratio=float(asked["mask_ratio"]), group=asked["group"]),
        batch=asked["batch"],
        clip_seconds=float(asked["clip_seconds"]),
        speed=quick.speed if asked["vary"] else 1.0,
        mix=quick.mix if asked["vary"] else 0.0,
        train=TrainConfig(steps=asked["steps"], lr=float(asked["lr"]), seed=asked["seed"]),
    )


def other_recipe(recorded: Mapping[str, Any], config: RunConfig) -> str:
    """How the recorded runs differ from this one, as a sentence; empty if they do not.

    Args:
        recorded: the parameters that a record keeps.
    """
    ours = {**vars(config), **vars(config.task), **vars(config.train)}
    names = ("steps", "batch", "clip_seconds", "speed", "mix", "mask_ratio", "group", "lr")
    kept = {**recorded, **recorded.get("train", {})}
    theirs = {name: kept.get(name, getattr(RunConfig, name, ours[name])) for name in names}
    other = [name for name in names if theirs[name] != ours[name]]
    if not other or not recorded:
        return ""
    words = listed(f"`{name}` {theirs[name]:g}" for name in other)
    return (
        f"The recorded runs had another recipe: {words}, where this one has "
        f"{listed(f'{ours[name]:g}' for name in other)}."
    )


def encoders_of(run: Run) -> dict[str, AudioEncoder]:
    """What chapters compare, by name: log-mel statistics, the run's encoder before and after."""
    return {e.name: e for e in (load_encoder("logmel"), run.encoder(0), run.encoder())}
