"""A pretraining run in a folder: started, resumed, found again, read.

A folder holds ``config.json``, ``log.csv`` (a row a step), ``step-N.safetensors`` (the
autoencoder at a few steps), ``checkpoint.pt`` (while it runs) and ``final.safetensors``.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import pandas as pd
import torch
from tqdm.auto import tqdm

from dasheng_lib.cache import artefact, atomic_file, digest
from dasheng_lib.checkpoint import load_autoencoder, save_weights
from dasheng_lib.corpora.corpus import Corpus
from dasheng_lib.crops import Crops
from dasheng_lib.encoders.dasheng import DashengEncoder
from dasheng_lib.errors import UserError
from dasheng_lib.features import SAMPLE_RATE
from dasheng_lib.mae import DECODERS, MAEConfig, MaskedAutoencoder
from dasheng_lib.model import PRESETS, TOKEN_SAMPLES, Encoder
from dasheng_lib.train import Record, TrainConfig, make_optimizer, pretrain

VERSION = 1  # raise it when the same configuration would give another run
CALIBRATION_BATCHES = 8


@dataclass(frozen=True)
class RunConfig:
    """Everything that determines a run, apart from the corpus.

    Attributes:
        preset: encoder size, one of :data:`dasheng_lib.model.PRESETS`.
        mask_ratio, group: see :func:`dasheng_lib.masking.group_mask`. The paper hides 0.75 of
            10 s; of the second that a sound of the pocket corpus lasts, half teaches more.
        batch, clip_seconds, short: see :class:`dasheng_lib.crops.Crops`.
        train: see :class:`dasheng_lib.train.TrainConfig`; its seed also seeds weights and crops.
    """

    preset: str = "nano"
    mask_ratio: float = 0.5
    group: int = 2
    batch: int = 64
    clip_seconds: float = 2.0
    short: str = "fill"
    train: TrainConfig = field(default_factory=TrainConfig)

    def __post_init__(self) -> None:
        if self.preset not in PRESETS:
            raise UserError(f"There is no size {self.preset!r}: choose {', '.join(PRESETS)}.")
        longest = PRESETS[self.preset].positions * TOKEN_SAMPLES / SAMPLE_RATE
        if not 0.1 <= self.clip_seconds <= longest:
            raise ValueError(f"clip_seconds is 0.1 to {longest}, not {self.clip_seconds}")
        if self.batch < 1 or self.group < 1:
            raise ValueError(f"batch and group are at least 1, not {self.batch}, {self.group}")
        _ = self.mae  # which checks the mask ratio

    @property
    def mae(self) -> MAEConfig:
        """Decoder and masking of this run."""
        return replace(DECODERS[self.preset], mask_ratio=self.mask_ratio, group=self.group)

    @property
    def snapshots(self) -> tuple[int, ...]:
        """Steps to keep: 0, then halvings of the last step, down to about a fiftieth of it."""
        steps = self.train.steps
        return tuple(sorted({0, *(max(steps >> halving, 1) for halving in range(6))}))


@dataclass(frozen=True)
class Run:
    """A finished run."""

    folder: Path

    @property
    def config(self) -> dict:
        """The configuration it was made with."""
        return json.loads((self.folder / "config.json").read_text())

    @property
    def log(self) -> pd.DataFrame:
        """A row a step: step, loss, lr, grad_norm, seconds."""
        return pd.read_csv(self.folder / "log.csv")

    @property
    def steps(self) -> list[int]:
        """Steps that were kept, from 0 (untrained) to the last."""
        return sorted(int(p.stem.removeprefix("step-")) for p in self.folder.glob("step-*"))

    def autoencoder(self, step: int | None = None) -> MaskedAutoencoder:
        """Encoder and decoder at a kept step, by default the last."""
        name = "final" if step is None else f"step-{step}"
        return load_autoencoder(self.folder / f"{name}.safetensors")

    def encoder(self, step: int | None = None) -> DashengEncoder:
        """The encoder as frozen features; step 0 is the same encoder untrained."""
        name = "pretrained" if step is None else f"step {step}" if step else "untrained"
        return DashengEncoder(self.autoencoder(step).encoder, name)


def pretrained(corpus: Corpus, config: RunConfig, progress: bool = True) -> Run:
    """The run of this configuration on this corpus: from the cache, or trained now.

    A run that was interrupted goes on from its last checkpoint.
    """
    recipe = {
        "config": asdict(config),
        "corpus": corpus.digest,
        "version": VERSION,
        "torch": torch.__version__.split("+")[0],
        "device": _device().type,
    }
    return Run(
        artefact(
            "pretrain",
            recipe,
            lambda folder: pretrain_into(folder, corpus, config, progress=progress),
            resumable=True,
        )
    )


def pretrain_into(
    folder: Path,
    corpus: Corpus,
    config: RunConfig,
    checkpoint_every: int = 200,
    progress: bool = True,
) -> Run:
    """Train in ``folder``, from its last checkpoint if it has one.

    Raises:
        UserError: the folder holds a run of another configuration.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    _claim(folder, corpus, config)
    final = folder / "final.safetensors"
    if final.exists():
        return Run(folder)
    device = _device()
    crops = Crops(corpus, config.clip_seconds, config.batch, config.train.seed, config.short)
    model = new_model(config).to(device)
    optimizer = make_optimizer(model, config.train)
    start, records = _restore(folder / "checkpoint.pt", model, optimizer)
    if start == 0:
        calibrate(model.encoder, crops, device)
        save_weights(model, folder / "step-0.safetensors")
    steps = pretrain(model, crops.batch, config.train, optimizer, start)
    with tqdm(
        steps, "pretrain", config.train.steps, initial=start, disable=not progress, mininterval=1
    ) as bar:
        for record in bar:
            records.append(record)
            bar.set_postfix(loss=f"{record.loss:.3f}", refresh=False)
            if record.step in config.snapshots:
                save_weights(model, folder / f"step-{record.step}.safetensors")
            if record.step % checkpoint_every == 0 or record.step == config.train.steps:
                _write_log(folder / "log.csv", records)
                with atomic_file(folder / "checkpoint.pt") as temporary:
                    state = {
                        "model": model.state_dict(),
                        "optimizer": optimizer.state_dict(),
                        "step": record.step,
                        "records": [list(asdict(r).values()) for r in records],
                    }
                    torch.save(state, temporary)
    save_weights(model, final, steps=str(config.train.steps), corpus=corpus.digest)
    (folder / "checkpoint.pt").unlink(missing_ok=True)
    return Run(folder)


def new_model(config: RunConfig) -> MaskedAutoencoder:
    """The untrained autoencoder of a configuration: the same for the same seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.train.seed)
        return MaskedAutoencoder(Encoder.preset(config.preset), config.mae)


@torch.no_grad()
def calibrate(encoder: Encoder, crops: Crops, device: torch.device) -> None:
    """Set the running statistics of the input norm from a few batches.

    Upstream starts them at 0 and 1 and lets them drift there at 1 % a step. That is far from dB
    for hundreds of steps, in which an evaluated encoder sees numbers it was never trained on;
    and it would make "untrained" a straw man.
    """
    norm = encoder.norm_in.train()
    norm.reset_running_stats()
    norm.momentum, momentum = None, norm.momentum  # None: plain average over the batches
    for step in range(CALIBRATION_BATCHES):
        norm(encoder.log_mel(torch.from_numpy(crops.batch(step)).to(device)))
    norm.momentum = momentum


def _claim(folder: Path, corpus: Corpus, config: RunConfig) -> None:
    wanted = {**asdict(config), "corpus": corpus.name, "corpus_digest": corpus.digest}
    path = folder / "config.json"
    if path.exists():
        found = json.loads(path.read_text())
        if digest(found) != digest(json.loads(json.dumps(wanted))):
            changed = [k for k in wanted if found.get(k) != json.loads(json.dumps(wanted[k]))]
            raise UserError(
                f"{folder} holds a run with another {' and '.join(changed)}: "
                "choose an empty folder, or the settings in its config.json to go on with it."
            )
        return
    with atomic_file(path) as temporary:
        temporary.write_text(json.dumps(wanted, indent=1))


def _restore(path: Path, model, optimizer) -> tuple[int, list[Record]]:
    if not path.exists():
        return 0, []
    state = torch.load(path, map_location="cpu", weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return state["step"], [Record(*row) for row in state["records"]]


def _write_log(path: Path, records: list[Record]) -> None:
    with atomic_file(path) as temporary:
        pd.DataFrame([asdict(record) for record in records]).to_csv(temporary, index=False)


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
