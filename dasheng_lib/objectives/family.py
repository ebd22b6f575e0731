"""The pretext tasks by name, one row each: whatever differs between families is asked here.

A new family is a module with its objective and its settings, and a row. What lies on a higher floor
has rows there: how a network becomes features in :mod:`dasheng_lib.encoders.of_network`, which
settings a run begins from in :mod:`dasheng_lib.train.recipes`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn

from dasheng_lib.features import HOP, SAMPLE_RATE, frame_count
from dasheng_lib.masking import kept_tokens, span_places
from dasheng_lib.model.encoder import (
    PATCH_FRAMES,
    TOKEN_SAMPLES,
    Encoder,
    EncoderConfig,
    encoder_config,
    token_count,
)
from dasheng_lib.model.slowfast_encoder import SlowFastEncoder
from dasheng_lib.model.slowfast_nfnet import SlowFastConfig, sfnfnet_config
from dasheng_lib.model.waveform import (
    WaveformConfig,
    WaveformEncoder,
    waveform_config,
)
from dasheng_lib.model.waveform import frame_count as waveform_frames
from dasheng_lib.objectives.byol import BYOL, BYOLConfig
from dasheng_lib.objectives.hubert import Hubert, HubertConfig
from dasheng_lib.objectives.mae import MAEConfig, MaskedAutoencoder
from dasheng_lib.objectives.simclr import SimCLR, SimCLRConfig
from dasheng_lib.objectives.ssast import SSAST, SSASTConfig
from dasheng_lib.objectives.supervised import Supervised, SupervisedConfig
from dasheng_lib.objectives.wav2vec2 import Wav2Vec2, Wav2Vec2Config


@dataclass(frozen=True)
class Network:
    """A kind of encoder.

    Attributes:
        reads: ``"log-mel"`` or ``"waveform"``.
        module, config: ``module(config(...))`` is one with new weights.
        size: the ``config`` of a size's name; ValueError if there is no such size.
    """

    reads: str
    module: type[nn.Module]
    config: type
    size: Callable[[str], Any]


@dataclass(frozen=True)
class Family:
    """What belongs to one pretext task.

    Attributes:
        network: what it trains, unless a size's name says another.
        objective, config: ``objective(encoder, config(...))`` is an
            :class:`dasheng_lib.objectives.Objective`. The config is a frozen dataclass, and no
            other family's; its fields are options of ``dasheng pretrain`` and settings of sweeps.
        check: ``check(network_config, config, samples)`` raises ValueError where nothing can be
            learned from clips of so many samples.
        whole_batch: whether the loss compares all clips of a batch, so that a batch cannot be taken
            in parts.
        replayable: whether a step never waits for the host, so that a card can replay its kernels,
            see :mod:`dasheng_lib.train.replay`. Those that pick frames by a mask do wait: the host
            must know how many.
        has_teacher: whether ``config`` has a field ``teacher``, the weights of a run of the family
            that a second run learns from.
        further: other networks that it can train; no two of a family's share a size's name.
        labelled: whether a step learns from the labels of its clips; ``config.labels`` names the
            tasks of the corpus that have them, and there are ``config.classes`` at most.
        seen: ``seen(config, samples)`` is how much of a crop of so many samples the encoder is
            given at once.
    """

    network: Network
    objective: type
    config: type
    check: Callable[[Any, Any, int], None]
    whole_batch: bool = False
    replayable: bool = False
    has_teacher: bool = False
    further: tuple[Network, ...] = ()
    labelled: bool = False
    seen: Callable[[Any, int], int] = lambda config, samples: samples

    @property
    def networks(self) -> tuple[Network, ...]:
        """All that it can train."""
        return (self.network, *self.further)

    def size(self, name: str) -> Any:
        """The configuration of a size's name, of whichever of its networks.

        Raises:
            ValueError: there is no such size.
        """
        wrong = []
        for network in self.networks:
            try:
                return network.size(name)
            except ValueError as error:
                wrong.append(str(error))
        raise ValueError("; ".join(wrong))

    def encoder(self, config: Any) -> nn.Module:
        """The network of a configuration, with new weights."""
        return next(n.module for n in self.networks if type(config) is n.config)(config)


def _positions_reach(network: Any, config: Any, samples: int) -> None:
    if not isinstance(network, EncoderConfig):  # which is the one that has positions
        return
    longest = network.positions * TOKEN_SAMPLES
    if samples > longest:
        raise ValueError(
            f"clip_seconds is at most {longest / SAMPLE_RATE:g}, not {samples / SAMPLE_RATE:g}"
        )


def _some_are_hidden(network: Any, config: Any, samples: int) -> None:
    _positions_reach(network, config, samples)
    T = token_count(samples)
    M = T - kept_tokens(T, config.mask_ratio, config.group)
    if M < 2:
        raise ValueError(
            f"of {T} tokens in groups of {config.group} {M} would be hidden: use longer clips or "
            "smaller groups"
        )


def _views_fit(network: Any, config: SimCLRConfig, samples: int) -> None:
    _positions_reach(network, config, samples)
    if config.frames(samples // HOP) < PATCH_FRAMES:
        raise ValueError(
            f"a view of {config.view:g} of {samples / SAMPLE_RATE:g} s has fewer than "
            f"{PATCH_FRAMES} frames of 10 ms: use longer clips"
        )


def _view(config: SimCLRConfig, samples: int) -> int:
    return HOP * (config.frames(frame_count(samples)) - 1)


def _spans_fit(network: WaveformConfig, config: Any, samples: int) -> None:
    span_places(waveform_frames(samples), config.span)


LOG_MEL = Network("log-mel", Encoder, EncoderConfig, encoder_config)
WAVEFORM = Network("waveform", WaveformEncoder, WaveformConfig, waveform_config)
SLOWFAST = Network("log-mel", SlowFastEncoder, SlowFastConfig, sfnfnet_config)

# By the name that a file of weights says its encoder is.
NETWORKS = {"transformer": LOG_MEL, "waveform": WAVEFORM, "sfnfnet": SLOWFAST}

FAMILIES = {
    "dasheng": Family(LOG_MEL, MaskedAutoencoder, MAEConfig, _some_are_hidden, replayable=True),
    "ssast": Family(LOG_MEL, SSAST, SSASTConfig, _some_are_hidden),
    "hubert": Family(WAVEFORM, Hubert, HubertConfig, _spans_fit, has_teacher=True),
    "wav2vec2": Family(WAVEFORM, Wav2Vec2, Wav2Vec2Config, _spans_fit),
    "simclr": Family(
        LOG_MEL,
        SimCLR,
        SimCLRConfig,
        _views_fit,
        whole_batch=True,
        further=(SLOWFAST,),
        seen=_view,
    ),
    "byol": Family(
        LOG_MEL, BYOL, BYOLConfig, _positions_reach, whole_batch=True, further=(SLOWFAST,)
    ),
    "supervised": Family(
        LOG_MEL, Supervised, SupervisedConfig, _positions_reach, labelled=True, further=(SLOWFAST,)
    ),
}


def family_of(config: Any) -> str:
    """The name of the family that a task's settings belong to.

    Raises:
        ValueError: they belong to none.
    """
    for name, family in FAMILIES.items():
        if type(config) is family.config:
            return name
    raise ValueError(f"no family has settings {config!r}: the families are {', '.join(FAMILIES)}")
