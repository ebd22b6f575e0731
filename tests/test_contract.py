"""The public names: what notebooks and other people's scripts import, from a fresh interpreter."""

import subprocess
import sys

SCRIPT = """
import torch, dasheng_lib.hear_api
from dasheng_lib.features import LogMel
from dasheng_lib.masking import group_mask
from dasheng_lib.model import Encoder
from dasheng_lib.mae import MaskedAutoencoder
from dasheng_lib.checkpoint import load_published
from dasheng_lib.encoders import load_encoder
from dasheng_lib.rank import RankMe, rankme
from dasheng_lib.knn import knn_accuracy
from dasheng_lib.scaling import fit_power_law

wave_BN = torch.randn(2, 16_000, generator=torch.Generator().manual_seed(0))
assert LogMel()(wave_BN).shape[:2] == (2, 64)
keep_BK, mask_BT = group_mask(2, 24, ratio=0.75, group=2, generator=torch.Generator())
assert mask_BT.sum(1).tolist() == [18, 18] and keep_BK.shape == (2, 6)
encoder = Encoder.preset("nano").eval()
assert encoder(wave_BN).shape == (2, 25, 192)
assert MaskedAutoencoder(encoder)(wave_BN, generator=torch.Generator()).loss.ndim == 0
Z_ND = load_encoder("dasheng:nano").clips(wave_BN)
assert abs(RankMe(192).update(Z_ND).compute() - rankme(Z_ND)) < 1e-6
assert knn_accuracy(Z_ND, [0, 1], Z_ND, [0, 1], k=1) == 1.0
assert callable(load_published) and callable(fit_power_law)
assert callable(dasheng_lib.hear_api.get_scene_embeddings)
"""


def test_a_script_of_a_readers_own_finds_every_public_name(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
