"""Clips of mixed length: batches of neighbours, chunks without padding, no mixing."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dasheng_lib.encoders import load_encoder
from dasheng_lib.evaluation.bucketing import length_batches
from dasheng_lib.evaluation.embed_batches import embed_batches
from dasheng_lib.model.attention import attend, attend_in_runs, attend_to
from dasheng_lib.model.packing import pack
from dasheng_lib.tasks.clip import Clip


@given(st.lists(st.integers(1, 500), max_size=60), st.integers(1, 2000))
def test_batches_hold_every_clip_once_within_the_budget(lengths, budget):
    lengths = np.array(lengths, np.int64)
    batches = list(length_batches(lengths, budget))
    order = np.concatenate(batches) if batches else np.array([], int)
    assert sorted(order) == list(range(len(lengths)))
    assert (np.diff(lengths[order]) <= 0).all()
    assert all(len(rows) == 1 or lengths[rows].max() * len(rows) <= budget for rows in batches)


def test_little_is_padded():
    lengths = np.random.default_rng(0).integers(16_000, 480_000, 200)
    computed = sum(lengths[rows].max() * len(rows) for rows in length_batches(lengths, 640_000))
    assert computed < 1.03 * lengths.sum()


@given(st.lists(st.integers(1, 20), min_size=1, max_size=8), st.integers(1, 7))
def test_packed_chunks_are_the_clips_and_start_at_place_zero(tokens, chunk):
    T = max(tokens)
    packing = pack(tokens, T, chunk)
    assert sum(chunks * n for chunks, n in packing.runs) == len(packing.rows_S) == sum(tokens)
    assert all(n <= chunk for _, n in packing.runs)
    wanted = [clip * T + t for clip, n in enumerate(tokens) for t in range(n)]
    assert sorted(packing.rows_S.tolist()) == wanted
    assert torch.equal(packing.places_S, packing.rows_S % T % chunk)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_attention_in_runs_is_attention_in_each_chunk(dtype):
    torch.manual_seed(0)
    chunks = [torch.randn(1, n, 3 * 256).to(dtype) for n in (9, 9, 9, 5, 1)]
    packed = attend_in_runs(torch.cat(chunks, 1)[0], 4, ((3, 9), (1, 5), (1, 1)))
    alone = torch.cat([attend(chunk, 4)[0] for chunk in chunks])
    torch.testing.assert_close(packed, alone, rtol=0, atol=1e-6 if dtype == torch.float32 else 8e-3)


def test_both_forms_of_attention_agree():
    """In bfloat16 the product of two batches stands in for the fused kernel on CPUs."""
    torch.manual_seed(0)
    qkv = torch.randn(2, 50, 3 * 256)
    valid = torch.ones(2, 50, dtype=torch.bool)
    expected = attend(qkv, 4)
    torch.testing.assert_close(attend_to(qkv, 4, valid), expected)
    torch.testing.assert_close(attend(qkv.bfloat16(), 4).float(), expected, rtol=0, atol=2e-2)
    gradient = qkv.bfloat16().requires_grad_()
    attend(gradient, 4).sum().backward()
    assert gradient.grad.isfinite().all()


@pytest.mark.parametrize("batch_seconds", [1.0, 1000.0])
def test_an_embedding_does_not_depend_on_the_batch(batch_seconds):
    encoder, rng = load_encoder("random:nano"), np.random.default_rng(0)
    samples = rng.integers(480, 200_000, 12)
    waves = [rng.normal(0, 0.1, n).astype(np.float32) for n in samples]
    seen = []
    clips = [Clip("", n, 16_000, "", lambda i=i: waves[i]) for i, n in enumerate(samples)]
    for rows, vectors in embed_batches(encoder, clips, batch_seconds=batch_seconds):
        for row, vector in zip(rows, vectors, strict=True):
            alone = encoder.clips(torch.from_numpy(waves[row])[None])[0]
            torch.testing.assert_close(vector, alone, rtol=0, atol=1e-5)
        seen += rows.tolist()
    assert sorted(seen) == list(range(12))
