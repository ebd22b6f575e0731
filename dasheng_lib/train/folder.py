"""The folder of a pretraining run: what is written, when, and that it is never half-written.

It holds ``config.json``, ``log.csv`` (a row a step), ``validation.csv`` (a row an epoch),
``skipped.csv`` (audio that was of no use), ``step-N.safetensors`` (encoder and task at a few
steps), ``checkpoint.pt`` (until it is finished), ``final.safetensors`` and, at last, ``sums.json``.
The checkpoint holds the two tables as well, so that it alone says where a run goes on.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from filelock import FileLock, Timeout
from torch import Tensor

from dasheng_lib.checkpoint.weights import load_autoencoder, load_objective, save_weights
from dasheng_lib.common.cache import atomic_file, need_space
from dasheng_lib.common.errors import UserError
from dasheng_lib.common.places import expanded
from dasheng_lib.common.sums import SUMS, damaged, sums_of
from dasheng_lib.encoders.of_network import features_of
from dasheng_lib.encoders.protocol import AudioEncoder
from dasheng_lib.objectives import Objective
from dasheng_lib.objectives.mae import MaskedAutoencoder
from dasheng_lib.train import health
from dasheng_lib.train.config import RunConfig
from dasheng_lib.train.damage import check_same, read_checkpoint
from dasheng_lib.train.loop import Record

TABLES = ("log.csv", "validation.csv")


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
    def validation(self) -> pd.DataFrame:
        """A row a :class:`.health.Validation`; empty where nothing was held out."""
        path = self.folder / "validation.csv"
        return pd.read_csv(path) if path.exists() else pd.DataFrame()

    def curve(self, points: int = 200) -> pd.DataFrame:
        """The log in about ``points`` rows of means, joined with the validations.

        Columns: those of ``log``, and from ``validation`` ``held_loss``, ``explained``,
        ``rankme``, ``rankme_centred``, ``hours``, ``speed`` at the steps that have one.
        """
        log = self.log
        block = (log["step"].to_numpy() - 1) // max(len(log) // points, 1)
        thin = log.groupby(block).mean().assign(step=log["step"].groupby(block).max())
        held = self.validation.rename(columns={"loss": "held_loss"})
        return thin if held.empty else thin.merge(held, on="step", how="outer")

    @property
    def steps(self) -> list[int]:
        """Steps that were kept, from 0 (untrained) to the last."""
        return sorted(int(p.stem.removeprefix("step-")) for p in self.folder.glob("step-*"))

    @property
    def verdict(self) -> str:
        """What the last validation says, see :func:`.health.verdict`; "" without one."""
        held = self.validation
        return "" if held.empty else health.verdict(held)

    def model(self, step: int | None = None, device: torch.device | str = "cpu") -> Objective:
        """Encoder and task at a kept step, by default the last, on a device."""
        name = "final" if step is None else f"step-{step}"
        return load_objective(self.folder / f"{name}.safetensors").to(device)

    def autoencoder(self, step: int | None = None) -> MaskedAutoencoder:
        """Encoder and decoder at a kept step, by default the last.

        Raises:
            UserError: the run is of a family that has no decoder.
        """
        name = "final" if step is None else f"step-{step}"
        return load_autoencoder(self.folder / f"{name}.safetensors")

    def encoder(self, step: int | None = None, device: torch.device | str = "cpu") -> AudioEncoder:
        """The encoder as frozen features; step 0 is the same encoder untrained."""
        name = "pretrained" if step is None else f"step {step}" if step else "untrained"
        return features_of(self.model(step, device), name)


class RunFolder:
    """One run's files. Only the first process writes."""

    def __init__(self, path: Path | str) -> None:
        self.path = expanded(path)
        self.checkpoint = self.path / "checkpoint.pt"
        self.final = self.path / "final.safetensors"
        self._waiting: list[Record] = []

    @contextmanager
    def claimed(self, config: RunConfig, inputs: dict[str, str]) -> Iterator[None]:
        """Hold the folder for a run of this configuration on these inputs.

        Args:
            inputs: names and hashes of the audio, and of a teacher if there is one.

        Raises:
            UserError: it holds another run, another process is at it, or it cannot be written.
        """
        lock = FileLock(self.path / ".lock", timeout=0)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout as error:
            raise UserError(
                f"Another process is training in {self.path}: wait for it, or choose another "
                "folder."
            ) from error
        except OSError as error:
            raise UserError(
                f"Cannot write in {self.path} ({error.strerror}): choose another folder."
            ) from error
        try:
            for left in self.path.glob(".*.part"):  # of a process that was killed
                left.unlink()
            self._same_run(config, inputs)
            yield
        finally:
            lock.release()

    def _same_run(self, config: RunConfig, inputs: dict[str, str]) -> None:
        run = json.loads(json.dumps({**config.record(), **inputs}))
        path = self.path / "config.json"
        if not (path.exists() or self.checkpoint.exists() or self.final.exists()):
            with atomic_file(path) as temporary:
                temporary.write_text(json.dumps(run, indent=1))
            return
        check_same(path, run, config)

    def need_room(self, model: Objective, config: RunConfig) -> None:
        """Raise unless there is room for all that the run will write.

        Raises:
            UserError: there is not.
        """
        weights = sum(value.nbytes for value in model.state_dict().values())
        # Two checkpoints of weights and two moments each, for the moment when one replaces one.
        need_space(self.path, (len(config.snapshots) + 1 + 2 * 3) * weights)

    def load(self, model: Objective) -> dict[str, Any] | None:
        """What :meth:`keep` kept last, None at the start; the tables are again as they were then.

        Raises:
            UserError: the checkpoint is damaged, or not one of ``model``.
        """
        there = self.checkpoint.exists()
        state = read_checkpoint(self.checkpoint, model, TABLES) if there else None
        tables = state["tables"] if state else {}
        for name in TABLES:
            path, text = self.path / name, tables.get(name, "")
            if not text:
                path.unlink(missing_ok=True)
            elif not path.exists() or path.read_bytes() != text.encode():
                with atomic_file(path) as temporary:
                    temporary.write_text(text)
        return state

    def log(self, record: Record) -> None:
        """Take a step's record; it is written with the next :meth:`keep`."""
        self._waiting.append(record)

    def validated(self, found: health.Validation, steps: int) -> str:
        """Write a validation, and return the warning that it gives cause for, or ""."""
        path = self.path / "validation.csv"
        _append(path, [found.row()])
        return health.warning(pd.read_csv(path), steps)

    def snapshot(self, model: Objective, weights: dict[str, Tensor], step: int) -> None:
        """Keep encoder and task of a step."""
        save_weights(model, self.path / f"step-{step}.safetensors", weights)

    def keep(self, weights: dict[str, Tensor], optimizer: dict, step: int, seconds: float) -> None:
        """Write log and checkpoint; the last checkpoint stays good until this one is whole."""
        # The log first: it is cut back to what the checkpoint has of it.
        _append(self.path / "log.csv", [asdict(record) for record in self._waiting])
        self._waiting.clear()
        paths = {name: self.path / name for name in TABLES}
        tables = {name: path.read_text() for name, path in paths.items() if path.exists()}
        state = {"weights": weights, "optimizer": optimizer, "step": step, "seconds": seconds}
        with atomic_file(self.checkpoint) as temporary:
            torch.save(state | {"tables": tables}, temporary)

    def skipped(self, bad: dict[tuple[str, str], str]) -> None:
        """Write which audio was of no use, and why."""
        rows = [{"where": a, "what": b, "why": why} for (a, b), why in sorted(bad.items())]
        with atomic_file(self.path / "skipped.csv") as temporary:
            pd.DataFrame(rows, columns=["where", "what", "why"]).to_csv(temporary, index=False)

    def finish(self, model: Objective, weights: dict[str, Tensor], **facts: str) -> None:
        """Write the last weights; from now on the run is finished."""
        save_weights(model, self.final, weights, **facts)
        self._sum_up()
        self.finished()

    def finished(self) -> bool:
        """Whether the last weights are there; then nothing else is needed to go on.

        Raises:
            UserError: they or the tables are damaged, and no checkpoint can make them again.
        """
        if not self.final.exists():
            return False
        wrong = damaged(self.path)
        if not (self.path / SUMS).exists():  # killed before it was written, or of an older version
            try:
                load_objective(self.final)
                self._sum_up()
            except UserError:
                wrong = self.final.name
        if wrong and self.checkpoint.exists():
            return False
        if wrong:
            raise UserError(
                f"{self.path / wrong} is damaged or has changed since the run ended: restore it, "
                f"or delete {self.path} to train again."
            )
        self.checkpoint.unlink(missing_ok=True)
        return True

    def _sum_up(self) -> None:
        names = [name for name in _OF_THE_RUN if (self.path / name).exists()]
        with atomic_file(self.path / SUMS) as temporary:
            temporary.write_text(sums_of(self.path, names))


_OF_THE_RUN = ("config.json", "final.safetensors", *TABLES)


def _append(path: Path, rows: list[dict[str, Any]]) -> None:
    new = not path.exists()
    with path.open("a") as file:
        pd.DataFrame(rows).to_csv(file, index=False, header=new)
        file.flush()
        os.fsync(file.fileno())
