"""The masked autoencoder, under the name that readers know it by."""

from dasheng_lib.objectives.mae import (
    DECODERS,
    MAEConfig,
    MaskedAutoencoder,
    decoder_config,
    masked_mse,
    standardise,
)

__all__ = [
    "DECODERS",
    "MAEConfig",
    "MaskedAutoencoder",
    "decoder_config",
    "masked_mse",
    "standardise",
]
