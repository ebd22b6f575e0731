"""Which published models of ARCH and HARES differ in one thing, as far as that can be known.

What a model was pretrained on is as its model card or paper says.
"""

from __future__ import annotations

from dasheng_lib.results.pairs import Pair

# AudioSet in the place of 960 hours of read English; how long the former took is not known.
ARCH_DATA = (
    Pair("wav2vec2-base", "W2V2-AS base", "Wav2Vec2"),
    Pair("hubert-base-ls960", "HuBERT-AS base", "HuBERT"),
)
# Clusters to be named in the place of a codebook to be picked from, on the same audio.
ARCH_TARGETS = (
    Pair("wav2vec2-base", "hubert-base-ls960", "both on speech"),
    Pair("W2V2-AS base", "HuBERT-AS base", "both on AudioSet"),
)
# On the same audio: LibriSpeech, 94,000 hours of English, Libri-Light, 436,000 hours of speech in
# 128 languages.
# Not among them, since audio differs with size: wavlm-base, hubert-base-ls960, wav2vec2.
ARCH_SIZE = (
    Pair("data2vec-audio-base", "data2vec-audio-large", "data2vec"),
    Pair("wavlm-base-plus", "wavlm-large", "WavLM"),
    Pair("hubert-large-ll60k", "hubert-xlarge-ll60k", "HuBERT"),
    Pair("wav2vec2-xls-r-300m", "wav2vec2-xls-r-1b", "XLS-R"),
)
# Networks with every score for both objectives, on AudioSet.
HARES_SIMCLR = tuple(
    Pair(f"{network} supervised", f"{network} SimCLR", network)
    for network in ("CNN14", "ViT-Base", "ResNet50", "NFNet-F0", "SF NFNet-F0")
)
HARES_SLOWFAST = (
    Pair("ResNet50 SimCLR", "SF ResNet50 SimCLR", "ResNet50 by SimCLR"),
    Pair("NFNet-F0 SimCLR", "SF NFNet-F0 SimCLR", "NFNet-F0 by SimCLR"),
    Pair("NFNet-F0 supervised", "SF NFNet-F0 supervised", "NFNet-F0 by labels"),
)
# In the place of batch normalisation.
HARES_NORMS = (
    Pair("SF ResNet50 SimCLR", "SF ResNet50 no norm SimCLR", "none"),
    Pair("SF ResNet50 SimCLR", "SF ResNet50 LayerNorm SimCLR", "LayerNorm"),
    Pair("SF ResNet50 SimCLR", "SF ResNet50 InstanceNorm SimCLR", "InstanceNorm"),
    Pair("SF ResNet50 SimCLR", "SF NF-ResNet50 SimCLR", "normaliser-free"),
)
# Made for one domain, and which.
HARES_SPECIALISTS = {
    "CNN14 supervised": "environment",
    "Wav2Vec2 LibriSpeech": "speech",
    "Bidir-CPC LibriSpeech": "speech",
}
