"""Library of the companion book."""

from dasheng_lib import _torchaudio

_torchaudio.tolerate()
