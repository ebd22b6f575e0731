"""speech_embedding: Google's network for spotting words, as openWakeWord carries it.

Lin, Kilgour, Roblek and Sharifi, "Training keyword spotters with limited and synthesized speech
data", ICASSP 2020. Google gives the model under Apache-2.0; the wheel ``openwakeword`` 0.4.0, from
which the ONNX files are read, puts its pretrained models under CC BY-NC-SA 4.0 in its description.
It runs through onnxruntime, which the extra ``wheels`` of this project installs.

Shapes: B clips, N samples, T mel frames of 10 ms, W windows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from dasheng_lib.common.errors import UserError
from dasheng_lib.encoders.wheels.fetch import read_weights
from dasheng_lib.encoders.windows import WindowEncoder
from dasheng_lib.features import SAMPLE_RATE

WINDOW, STEP = 76, 8  # frames: 0.76 s every 80 ms
SHORTEST = 13_120  # samples; the first length that gives 76 frames with some to spare
PEAK = 0.5 * 32_767
VERSION = 1  # raise it when the same weights would give other numbers

Run = Callable[[np.ndarray], np.ndarray]


def from_wheel() -> WindowEncoder:
    """speech_embedding as published, fetched at the first call.

    Raises:
        UserError: onnxruntime is not installed; or see
            :func:`dasheng_lib.encoders.wheels.fetch.read_weights`.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise UserError(
            "wheel:openwakeword runs through onnxruntime, which is not installed: "
            "run `.venv/bin/pip install -c constraints.txt -e '.[wheels]'`."
        ) from error
    data = read_weights("openwakeword")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    sessions = [
        onnxruntime.InferenceSession(d, options, providers=["CPUExecutionProvider"]) for d in data
    ]
    runs = [lambda x, s=s: s.run(None, {s.get_inputs()[0].name: x})[0] for s in sessions]
    return speech_embedding(*runs, hashlib.sha256(b"".join(data)).hexdigest()[:16])


def speech_embedding(mel: Run, embed: Run, fingerprint: str) -> WindowEncoder:
    """96 numbers for each window of 0.76 s, every 80 ms; a clip's are their mean and maximum.

    Clips are scaled to a peak of 0.5 and rounded to 16 bits; shorter ones than 0.82 s are filled
    up with zeros.

    Args:
        mel: float32 [1, N] in 16-bit numbers -> mel spectrogram [1, 1, T, 32] in dB.
        embed: float32 [W, 76, 32, 1] -> [W, 1, 1, 96].
        fingerprint: of both.
    """

    def windows(wave_N: Tensor) -> Tensor:
        peak = wave_N.abs().max()
        wave_N = (wave_N.float() * (PEAK / torch.where(peak > 0, peak, 1.0))).round()
        wave_N = F.pad(wave_N, (0, max(0, SHORTEST - len(wave_N))))
        spec_TF = torch.from_numpy(mel(wave_N[None].numpy())).reshape(-1, 32)
        return (spec_TF / 10 + 2).unfold(0, WINDOW, STEP).transpose(1, 2)

    def network(window_WTF: Tensor) -> Tensor:
        vectors = embed(np.ascontiguousarray(window_WTF[..., None].numpy()))
        return torch.from_numpy(vectors).reshape(-1, 96)

    return WindowEncoder(
        name="openwakeword speech_embedding",
        sample_rate=SAMPLE_RATE,
        dim=192,
        hop_ms=80.0,
        first_ms=391.0,  # a frame covers 32 ms, a window 76 frames
        fingerprint=f"openwakeword-{VERSION}-{fingerprint}",
        network=network,
        windows=windows,
        most=128,
        pool=lambda vectors_WD: torch.cat([vectors_WD.mean(0), vectors_WD.amax(0)]),
    )
