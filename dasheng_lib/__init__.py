"""Library of the companion book."""

from dasheng_lib.common import torchaudio

torchaudio.tolerate()
