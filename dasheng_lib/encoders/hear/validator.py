"""Does a module follow the HEAR API? What the official validators check, and traps they do not.

The checks are those of ``hearvalidator`` 2021.0.2 (package index) and 2021.0.6 (repository), which
differ in the noise that they send and in what they tolerate; neither is needed here. Where the
older one is stricter, breaking its rule is a warning. On top come: values that are not finite,
timestamps in seconds, and embeddings that change from call to call or with their batch.

Shapes: B clips, N samples, T timestamps, D width.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal

import torch
from torch import Tensor, nn

from dasheng_lib.common.errors import UserError, one_line
from dasheng_lib.common.places import expanded

RATES = (16_000, 22_050, 32_000, 44_100, 48_000)
NEW_RATE = 32_000  # not of the older validator
# (clips, seconds) of the newer validator, then of the older.
TIMESTAMP_NOISE = ((2, 1.07), (2, 1.98), (2, 4.0), (16, 2.0))
SCENE_NOISE = ((4, 2.74), (8, 3.74))
ADVISED_HOP_MS = 50.0
SPACING_MS, OLD_SPACING_MS = 1.0, 1e-3
ALIKE = 1e-3  # largest difference to call two embeddings the same, by the largest value


@dataclass(frozen=True)
class Finding:
    """Something that is wrong (``"error"``) or unwise (``"warning"``).

    Attributes:
        level: ``"error"`` or ``"warning"``.
        check: what was looked at, in one word.
        says: one sentence that says what was found and what to do.
    """

    level: Literal["error", "warning"]
    check: str
    says: str


def check_hear(
    module_name: str, model_file_path: str = "", device: str | None = None
) -> list[Finding]:
    """Findings about a module by its name; empty if there is nothing to say.

    Args:
        device: where the model is put; by default a GPU if there is one, as the official ones do.

    Raises:
        UserError: there is no such module.
    """
    module = import_module(module_name)
    if findings := list(check_functions(module)):
        return findings
    given = [path_of(model_file_path)] if model_file_path else []
    model, findings = _try("load_model", "load_model", module.load_model, *given)
    findings = findings or list(check_model(model))
    if any(finding.level == "error" for finding in findings):
        return findings
    model.to(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    return check_module(module, model)


def check_module(module: ModuleType, model: nn.Module) -> list[Finding]:
    """Findings about a module and the model that it loaded, on the device where the model is.

    Of each check the first finding only.
    """
    findings = [*check_functions(module), *check_model(model)]
    if any(finding.level == "error" for finding in findings):
        return findings
    generator = torch.Generator().manual_seed(0)
    kinds = (
        ("get_timestamp_embeddings", TIMESTAMP_NOISE, check_timestamp_output),
        ("get_scene_embeddings", SCENE_NOISE, check_scene_output),
    )
    for name, sizes, check in kinds:
        for clips, seconds in sizes:
            samples = int(seconds * model.sample_rate)
            audio_BN = 2 * torch.rand(clips, samples, generator=generator) - 1
            audio_BN = audio_BN.to(device_of(model))
            what = f"{name} of {clips} clips of {seconds} s"
            output, failed = _try(name, what, getattr(module, name), audio_BN, model)
            findings += failed or check(output, audio_BN, model)
    if all(finding.level == "warning" for finding in findings):
        findings += check_company(module, model)
    return list({f.check: f for f in reversed(findings)}.values())[::-1]


def import_module(name: str) -> ModuleType:
    """The module of this name.

    Raises:
        UserError: it, or something that it imports, is not installed; it fails when imported.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        own = f"{name}.".startswith(f"{error.name}.")
        lacks = "" if own else f" imports {error.name}, which"
        raise UserError(
            f"The module {name}{lacks} cannot be found: install it, or set PYTHONPATH to the "
            "folder that holds it."
        ) from error
    except (ValueError, TypeError) as error:
        if name and not name.startswith("."):
            raise _failed(name, error) from error
        raise UserError(f"{name!r} is not the name of a module: write some.module.") from error
    except (Exception, SystemExit) as error:  # whatever a module does while it is imported
        raise _failed(name, error) from error


def _failed(name: str, error: BaseException) -> UserError:
    said = f"{type(error).__name__}: {one_line(error)}"
    return UserError(f"The module {name} cannot be imported ({said}): mend what it does there.")


def path_of(model_file_path: str) -> str:
    """What ``load_model`` is given: a path of the user's with its home, anything else as it is."""
    return str(expanded(model_file_path)) if model_file_path.startswith("~") else model_file_path


def check_functions(module: ModuleType) -> Iterator[Finding]:
    """The three functions are there."""
    for name in ("load_model", "get_scene_embeddings", "get_timestamp_embeddings"):
        if not callable(getattr(module, name, None)):
            yield Finding("error", name, f"{module.__name__} has no function {name}: add it.")


def check_model(model: Any) -> Iterator[Finding]:
    """The model is a torch module, and its three attributes are integers that make sense."""
    if not isinstance(model, nn.Module):
        says = f"load_model returned a {type(model).__name__}: return a torch.nn.Module"
        yield Finding("error", "load_model", f"{says} (TensorFlow's are not run here).")
        return
    for name in ("sample_rate", "scene_embedding_size", "timestamp_embedding_size"):
        value = getattr(model, name, None)
        if value is None:
            yield Finding("error", name, f"The model has no attribute {name}: set it.")
        elif not isinstance(value, int) or isinstance(value, bool):
            says = f"{name} is {value} ({type(value).__name__}): make it a Python int."
            yield Finding("error", name, says)
        elif name == "sample_rate" and value not in RATES:
            rates = ", ".join(map(str, RATES))
            yield Finding("error", name, f"sample_rate is {value}: use one of {rates}.")
        elif name == "sample_rate" and value == NEW_RATE:
            says = f"sample_rate is {value}, which hearvalidator 2021.0.2 refuses."
            yield Finding("warning", name, says)


def check_timestamp_output(output: Any, audio_BN: Tensor, model: nn.Module) -> Iterator[Finding]:
    """What ``get_timestamp_embeddings`` returned, against what was sent."""
    what = "get_timestamp_embeddings"
    pair = isinstance(output, tuple | list) and len(output) == 2
    if not pair or not all(isinstance(part, Tensor) for part in output):
        says = f"{what} does not return two tensors: return embeddings, timestamps."
        yield Finding("error", what, says)
        return
    embeddings, times = output
    wanted = (len(audio_BN), "timestamps", model.timestamp_embedding_size)
    yield from _check_tensor(embeddings, what, wanted)
    if times.ndim == 2 and times.shape == embeddings.shape[:2]:
        yield from check_times(times, audio_BN.shape[1] / model.sample_rate)
    else:
        says = f"{what} gives timestamps {list(times.shape)} with embeddings "
        says += f"{list(embeddings.shape)}: give one for each embedding, [clips, timestamps]."
        yield Finding("error", "timestamps", says)


def check_scene_output(output: Any, audio_BN: Tensor, model: nn.Module) -> Iterator[Finding]:
    """What ``get_scene_embeddings`` returned, against what was sent."""
    what = "get_scene_embeddings"
    if isinstance(output, Tensor):
        yield from _check_tensor(output, what, (len(audio_BN), model.scene_embedding_size))
    else:
        yield Finding("error", what, f"{what} does not return a tensor.")


def check_times(times_BT: Tensor, seconds: float) -> Iterator[Finding]:
    """Timestamps are in milliseconds, regular, and cover a clip of ``seconds``."""
    times_BT = times_BT.detach().cpu().double()
    length = 1000 * seconds
    if times_BT.numel() == 0:
        says = f"There is no timestamp for {seconds:g} s of audio."
        yield Finding("error", "timestamps", says)
        return
    if not times_BT.isfinite().all():
        yield Finding("error", "timestamps", "A timestamp is not finite.")
        return
    first, last = float(times_BT.min()), float(times_BT.max())
    if seconds >= 1 and last < 2 * seconds:
        says = f"Timestamps end at {last:g} for {seconds:g} s of audio, so they are in seconds or "
        says += "another unit: give milliseconds, or every event lands at the beginning."
        yield Finding("error", "unit", says)
        return
    if last > length:
        says = f"Timestamps end at {last:g} ms for {length:g} ms of audio: none may lie behind it."
        yield Finding("error", "end", says)
    if times_BT.shape[1] < 2:
        return
    spacing = times_BT.diff()
    hop = float(spacing.mean())
    off = float((spacing - hop).abs().max())
    if off > SPACING_MS or hop <= 0:
        says = f"Timestamps are not regular: {hop:g} ms apart on average, up to {off:g} ms off."
        yield Finding("error", "spacing", says)
        return
    if off > OLD_SPACING_MS:
        says = f"Timestamps are up to {off:.2g} ms off their regular places, which hearvalidator "
        yield Finding("warning", "spacing", says + "2021.0.2 refuses.")
    if spacing.max() > ADVISED_HOP_MS:
        says = f"Timestamps are {hop:g} ms apart: at most 50 ms suit tasks with 50 ms tolerance."
        yield Finding("warning", "hop", says)
    if first > hop:
        says = f"Timestamps begin at {first:g} ms, later than one hop of {hop:g} ms."
        yield Finding("warning", "begin", says)
    if last < length - min(hop, 50):
        says = f"Timestamps end at {last:g} ms for {length:g} ms of audio: events at its end "
        yield Finding("warning", "end", says + "have no embedding.")


def check_company(module: ModuleType, model: nn.Module) -> Iterator[Finding]:
    """Embeddings are the same at every call, and whatever else is in the batch."""
    pair_BN = quiet_and_loud(model)
    kinds = (
        ("get_scene_embeddings", check_scene_output),
        ("get_timestamp_embeddings", check_timestamp_output),
    )
    for name, check in kinds:
        call = getattr(module, name)
        for audio_BN in (pair_BN[:1], pair_BN):
            what = f"{name} of {len(audio_BN)} of 1 s"
            output, failed = _try(name, what, call, audio_BN, model)
            found = failed or check(output, audio_BN, model)
            if errors := [finding for finding in found if finding.level == "error"]:
                yield from errors
                return
        if not same(call, model, pair_BN[:1], pair_BN[:1]):
            says = f"{name} gives other numbers when it is called again: call model.eval()."
            yield Finding("warning", "repeat", says)
        elif not same(call, model, pair_BN[:1], pair_BN):
            says = f"{name} gives a quiet clip other numbers beside a loud one: results depend on "
            yield Finding("warning", "batch", says + "how clips are batched.")


def quiet_and_loud(model: nn.Module) -> Tensor:
    """Two clips of a second, float32 [2, N], of which the first is 60 dB below the other."""
    generator = torch.Generator().manual_seed(0)
    audio_BN = 2 * torch.rand(2, model.sample_rate, generator=generator) - 1
    return (audio_BN * torch.tensor([[0.001], [1.0]])).to(device_of(model))


def same(call: Callable, model: nn.Module, one_BN: Tensor, other_BN: Tensor) -> bool:
    """Whether the first clips of two batches have the same embedding, but for rounding."""
    with torch.no_grad():
        outputs = [call(audio_BN, model) for audio_BN in (one_BN, other_BN)]
    one, other = ((x if isinstance(x, Tensor) else x[0])[0].float() for x in outputs)
    return one.shape == other.shape and bool((one - other).abs().max() <= ALIKE * one.abs().max())


def device_of(model: nn.Module) -> torch.device:
    """Where the model's parameters are; the CPU if it has none."""
    parameter = next(model.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device


def _check_tensor(
    embeddings: Tensor, what: str, wanted: tuple[int | str, ...]
) -> Iterator[Finding]:
    """``wanted`` has a name in place of a length that may be any."""
    if embeddings.dtype != torch.float32:
        says = f"{what} gives {embeddings.dtype} embeddings: give torch.float32."
        yield Finding("error", "dtype", says)
    shape = list(embeddings.shape)
    if len(shape) != len(wanted) or any(
        n != w for n, w in zip(shape, wanted, strict=True) if isinstance(w, int)
    ):
        says = f"{what} gives embeddings {shape}: give [{', '.join(map(str, wanted))}]."
        yield Finding("error", "shape", says)
    if not embeddings.isfinite().all():
        yield Finding("error", "finite", f"{what} gives values that are not finite.")


def _try(check: str, what: str, call: Callable, *args: Any) -> tuple[Any, list[Finding]]:
    try:
        with torch.no_grad():
            return call(*args), []
    except (Exception, SystemExit) as error:  # whatever it is, it is the finding
        says = f"{what} failed: {type(error).__name__}: {one_line(error)}"
        return None, [Finding("error", check, says)]
