"""Any module that follows the HEAR API, as an encoder of this library.

``load_encoder("hear:some.module")``, or ``"hear:some.module:/path/to/weights"`` with what its
``load_model`` is to be given. `dasheng hear-check some.module` looks for what may be wrong.

Shapes: B clips, N samples, T timestamps, D width.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from dasheng_lib.common.cache import digest
from dasheng_lib.common.errors import UserError, one_line
from dasheng_lib.encoders.fingerprint import state_digest
from dasheng_lib.encoders.hear.validator import (
    Finding,
    check_functions,
    check_model,
    check_scene_output,
    check_timestamp_output,
    device_of,
    import_module,
    path_of,
    quiet_and_loud,
    same,
)

TRIED_SECONDS = (0.03, 0.1, 0.25, 0.5, 1.0)
HOP_SECONDS = 4
DRIFT_MS = 20.0  # well below the 50 ms that the strictest event scores tolerate


class HearModule:
    """A module and the model that it loaded.

    The API has no word for the length of a clip. So clips of one length only are embedded
    together, and one by one where the module gives a clip other numbers beside another (which is
    tried once, here): a clip's embedding is always that of the clip alone. As ``min_samples``
    serves the shortest of 0.03, 0.1, 0.25, 0.5 and 1 s that the module takes. Frames are taken to
    lie at ``first_ms + k · hop_ms``, as they do for 4 s; more than 20 ms off is an error.

    Args:
        module_name: as in ``import NAME``.
        model_file_path: given to ``load_model``; nothing is given if it is empty.
        options: further ones of ``load_model``.

    Raises:
        UserError: there is no such module, or it breaks the API.
    """

    def __init__(self, module_name: str, model_file_path: str = "", **options: Any) -> None:
        self.name = f"hear:{module_name}" + f":{model_file_path}" * bool(model_file_path)
        module = import_module(module_name)
        self._demand(check_functions(module))
        given = [path_of(model_file_path)] if model_file_path else []
        try:
            self.model = module.load_model(*given, **options)
        except UserError:
            raise
        except (Exception, SystemExit) as error:  # in as many ways as there are models
            raise UserError(
                f"{self.name}: load_model failed ({type(error).__name__}: {one_line(error)}): give "
                f"it the weights that it needs, as in hear:{module_name}:PATH."
            ) from error
        self._demand(check_model(self.model))
        self.model.eval()
        self._scenes: Callable = module.get_scene_embeddings
        self._timestamps: Callable = module.get_timestamp_embeddings
        self.sample_rate = self.model.sample_rate
        self.dim = self.model.scene_embedding_size
        pair_BN = quiet_and_loud(self.model)
        try:
            sample = self._sample(pair_BN)  # raises what is wrong with any length, such as a width
        except UserError:
            raise
        except Exception as error:
            raise UserError(
                f"{self.name} cannot embed two clips of 1 s ({type(error).__name__}: "
                f"{one_line(error)}): `dasheng hear-check {module_name}` says more."
            ) from error
        self.min_samples = self._shortest()
        _, time_BT = self._timestamps_of(torch.zeros(1, HOP_SECONDS * self.sample_rate))
        if time_BT.shape[1] < 2:
            raise UserError(f"{self.name} gives one timestamp for {HOP_SECONDS} s: it has no hop.")
        self.first_ms = float(time_BT[0, 0])
        self.hop_ms = float(time_BT[0].diff().mean())
        self.alone = not all(
            same(call, self.model, pair_BN[:1], pair_BN)
            for call in (self._scenes, self._timestamps)
        )
        self.fingerprint = digest(
            {
                "module": module_name,
                "path": _file_digest(path_of(model_file_path)),
                "options": repr(sorted(options.items())),
                "state": state_digest(self.model),
                "output": sample,
                "source": source_digest(module),
            }
        )

    def frames(self, wave_BN: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Timestamp embeddings, ``[B, T, frame width]``; those behind a clip's end are 0."""
        return self._each_length(wave_BN, lengths, self._frames_of)

    def clips(self, wave_BN: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Scene embeddings, ``[B, dim]``."""
        return self._each_length(wave_BN, lengths, self._clips_of)

    @torch.no_grad()
    def _each_length(
        self, wave_BN: Tensor, lengths: Tensor | None, embed: Callable[[Tensor], Tensor]
    ) -> Tensor:
        """Embeddings of the clips of each length together, or of each clip; 0 where they end."""
        B, N = wave_BN.shape
        lengths = torch.full((B,), N) if lengths is None else lengths.cpu()
        groups = [(lengths == n).nonzero()[:, 0] for n in lengths.unique()]
        if self.alone:
            groups = list(torch.arange(B).split(1))
        parts = [embed(wave_BN[rows, : int(lengths[rows[0]])]) for rows in groups]
        out = parts[0].new_zeros(B, *max(part.shape[1:] for part in parts))
        for rows, part in zip(groups, parts, strict=True):
            out[rows, : part.shape[1]] = part
        return out

    def _clips_of(self, audio_BN: Tensor) -> Tensor:
        audio_BN = audio_BN.to(device_of(self.model))
        output = self._scenes(audio_BN, self.model)
        self._demand(check_scene_output(output, audio_BN, self.model), but=("finite",))
        return output

    def _frames_of(self, audio_BN: Tensor) -> Tensor:
        vectors_BTD, time_BT = self._timestamps_of(audio_BN)
        rule_T = self.first_ms + self.hop_ms * torch.arange(time_BT.shape[1])
        off = float((time_BT - rule_T).abs().max())
        if time_BT.shape[1] > 1 and off > DRIFT_MS:
            raise UserError(
                f"{self.name} puts timestamps {off:.0f} ms away from {self.first_ms:g} + "
                f"{self.hop_ms:g} k, where they are for {HOP_SECONDS} s of audio: use one rule."
            )
        return vectors_BTD

    def _timestamps_of(self, audio_BN: Tensor) -> tuple[Tensor, Tensor]:
        audio_BN = audio_BN.to(device_of(self.model))
        output = self._timestamps(audio_BN, self.model)
        # A window that is longer than the clip may well have its middle behind the clip's end.
        self._demand(check_timestamp_output(output, audio_BN, self.model), but=("finite", "end"))
        return output[0], output[1].cpu().double()

    @torch.no_grad()
    def _shortest(self) -> int:
        sizes = [round(seconds * self.sample_rate) for seconds in TRIED_SECONDS]
        for samples in sizes[:-1]:
            audio_BN = quiet_and_loud(self.model)[:, :samples]
            try:
                scenes = self._clips_of(audio_BN)
                frames, _ = self._timestamps_of(audio_BN)
            except Exception:  # too short a clip fails in as many ways as there are models
                continue
            if frames.shape[1] and scenes.isfinite().all() and frames.isfinite().all():
                return samples
        return sizes[-1]

    @torch.no_grad()
    def _sample(self, audio_BN: Tensor) -> list[str]:
        """What the model makes of a fixed signal, to 4 digits: not all weights are parameters."""
        generator = torch.Generator().manual_seed(0)
        found = []
        for x in (self._clips_of(audio_BN), self._timestamps_of(audio_BN)[0]):
            flat_N = x[1].flatten().cpu().double()  # the loud one
            weights_KN = torch.randn(8, len(flat_N), generator=generator).double()
            found += [f"{value:.3e}" for value in (weights_KN @ flat_N).tolist()]
        return found

    def _demand(self, findings: Iterable[Finding], but: tuple[str, ...] = ()) -> None:
        """Raise the first error, unless it is of a kind that is judged elsewhere."""
        for finding in findings:
            if finding.level == "error" and finding.check not in but:
                raise UserError(f"{self.name}: {finding.says}")


def load_hear_module(rest: str) -> HearModule:
    """``some.module`` or ``some.module:PATH``; see :class:`HearModule`."""
    module_name, _, path = rest.partition(":")
    return HearModule(module_name, path)


def source_digest(module: ModuleType) -> str:
    """Hash of the code that the module is made of, by file name.

    Of a package every ``.py`` file; of a single file it and, over and over, those files and
    packages beside it that it imports. Installed packages that it imports are not looked into.
    """
    hashed = hashlib.sha256()
    for path in source_files(module):
        hashed.update(f"{path.name} ".encode())
        hashed.update(path.read_bytes())
    return hashed.hexdigest()[:16]


def source_files(module: ModuleType) -> list[Path]:
    """The files of :func:`source_digest`, sorted.

    Raises:
        UserError: there is no source to read.
    """
    file = Path(getattr(module, "__file__", None) or "")
    if file.suffix != ".py":
        raise UserError(f"{module.__name__} has no source file: results could not be cached.")
    depth = module.__name__.count(".") + (file.name == "__init__.py")
    if depth:
        return sorted(file.resolve().parents[depth - 1].rglob("*.py"))
    found, left = set(), [file.resolve()]
    while left:
        path = left.pop()
        if path not in found:
            found.add(path)
            left += _beside(path)
    return sorted(found)


def _beside(path: Path) -> Iterable[Path]:
    """What a file imports from its own folder."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        else:
            continue
        for top in {name.partition(".")[0] for name in names} - {""}:
            if (path.parent / f"{top}.py").is_file():
                yield path.parent / f"{top}.py"
            elif path.parent.name not in ("site-packages", "dist-packages"):
                yield from (path.parent / top).rglob("*.py")


def _file_digest(path: str) -> str:
    if not Path(path).is_file():
        return path
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
