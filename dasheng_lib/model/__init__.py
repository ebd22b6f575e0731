"""The networks."""

from dasheng_lib.model.encoder import (
    PRESETS,
    TOKEN_SAMPLES,
    Encoder,
    EncoderConfig,
    encoder_config,
    token_count,
)

__all__ = [
    "PRESETS",
    "TOKEN_SAMPLES",
    "Encoder",
    "EncoderConfig",
    "encoder_config",
    "token_count",
]
