"""What only a card can show. Run there: ``pytest -m gpu --noconftest tests/commands/test_gpu.py``.

``GPU_TESTS_ON=cpu`` runs them on the processor, to see that they would run.
"""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from card_crops import CardCrops

from dasheng_lib.checkpoint.published import from_upstream
from dasheng_lib.common.distributed import World, full_state, parallelise, restore_state
from dasheng_lib.corpora.synthetic.corpus import synthetic_corpus
from dasheng_lib.encoders import DashengEncoder, load_encoder
from dasheng_lib.evaluation.embed import compute_embeddings
from dasheng_lib.features import LogMel
from dasheng_lib.mae import MAEConfig, MaskedAutoencoder
from dasheng_lib.model import Encoder, EncoderConfig
from dasheng_lib.tasks.of_corpus import corpus_clips
from dasheng_lib.train import TrainConfig, make_optimizer, pretrain
from dasheng_lib.train.batches import crops_of
from dasheng_lib.train.build import new_model
from dasheng_lib.train.config import RunConfig
from dasheng_lib.train.replay import WARM
from dasheng_lib.train.run import Execution, pretrain_into

ON = os.environ.get("GPU_TESTS_ON", "cuda")
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(ON == "cuda" and not torch.cuda.is_available(), reason="no card"),
]
DEVICE = torch.device(ON)
GOLDEN = Path(__file__).parents[1] / "golden"
TINY = EncoderConfig(dim=32, depth=2, heads=4, floor="batch")
SMALL = RunConfig(
    preset="48x2x3", batch=16, clip_seconds=0.48, mix=0.5, speed=1.5, train=TrainConfig(steps=12)
)


def golden(name):
    with np.load(GOLDEN / f"{name}.npz") as file:
        return {key: file[key] for key in file.files}


def weights(vectors, prefix):
    return from_upstream(
        {
            key.removeprefix(prefix): torch.from_numpy(np.array(value))
            for key, value in vectors.items()
            if key.startswith(prefix) and "front_end" not in key
        }
    )


@pytest.fixture(scope="module")
def corpus():
    return synthetic_corpus()


@pytest.fixture(autouse=True)
def plain_float32():
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False


def trained(corpus, config=SMALL, **options):
    """Records, weights and optimizer of a run without a folder."""
    model = new_model(config).to(DEVICE)
    crops = crops_of(corpus, config, lambda *a: CardCrops(*a, device=DEVICE))
    model.calibrate(crops.batch(step) for step in range(2))
    optimizer = make_optimizer(model, config.train)
    records = list(pretrain(model, crops.batch, config.train, optimizer, **options))
    return records, model, optimizer


def test_log_mel_is_the_reference_s():
    vectors = golden("frontend")
    for name in ("tone", "chirp", "noise", "quiet_noise", "short480"):
        expected = vectors[f"db_{name}"]
        wave = torch.from_numpy(vectors[f"x_{name}"])[None].to(DEVICE)
        got = LogMel().to(DEVICE)(wave)[0].cpu().numpy()
        deep = expected < expected.max() - 70
        np.testing.assert_allclose(got[~deep], expected[~deep], rtol=0, atol=2e-3)


def test_tokens_are_the_reference_s():
    vectors = golden("encoder_tiny")
    encoder = Encoder(TINY)
    encoder.load_state_dict(weights(vectors, "w/"))
    got = encoder.eval().to(DEVICE)(torch.from_numpy(vectors["x_1s"]).to(DEVICE)).detach().cpu()
    np.testing.assert_allclose(got[1], vectors["y_1s"][1], rtol=0, atol=1e-4)


def test_a_step_of_masked_training_is_the_reference_s():
    vectors = golden("mae_tiny")
    model = MaskedAutoencoder(Encoder(TINY), MAEConfig(16, 1, 2))
    model.encoder.load_state_dict(weights(vectors, "w/encoder."))
    model.decoder.load_state_dict(weights(vectors, "w/decoder."))
    wave, noise = (torch.from_numpy(vectors[name]).to(DEVICE) for name in ("x", "noise"))
    out = model.to(DEVICE)(wave, noise=noise)
    np.testing.assert_array_equal(out.mask_BT.float().cpu(), vectors["mask"])
    assert out.loss.item() == pytest.approx(float(vectors["loss"]), abs=1e-4)
    out.loss.backward()
    found = {name: p.grad.norm().item() for name, p in model.named_parameters()}
    for upstream, norm in zip(vectors["grad_names"].tolist(), vectors["grad_norms"], strict=True):
        part, _, name = upstream.partition(".")
        (ours,) = from_upstream({name: torch.zeros(1, 1, 1, 1)})
        if "init_bn" not in name:  # see test_golden.py
            assert found[f"{part}.{ours}"] == pytest.approx(norm, rel=1e-2), upstream


def test_embeddings_are_the_processor_s_and_bfloat16_is_close(corpus):
    clips = [clip for clip in corpus_clips(corpus) if clip.samples > 4000][:64]
    network = Encoder(EncoderConfig(192, 4, 3)).eval()
    torch.nn.init.constant_(network.norm_in.running_mean, -30.0)
    torch.nn.init.constant_(network.norm_in.running_var, 400.0)
    expected = compute_embeddings(DashengEncoder(network, "here"), clips)
    named = load_encoder("dasheng:nano"), load_encoder("dasheng:nano", device=str(DEVICE))
    here, there = (compute_embeddings(encoder, clips) for encoder in named)
    assert named[1].device.type == DEVICE.type and abs(here - there).max() < 1e-3 * abs(here).max()
    network = network.to(DEVICE)
    for precision, apart in (("float32", 1e-4), ("bfloat16", 5e-3)):
        if precision == "bfloat16" and DEVICE.type == "cpu":
            continue  # not every processor has it
        encoder = DashengEncoder(network, "there", precision)
        got = compute_embeddings(encoder, clips)
        cosine = (got * expected).sum(1) / np.linalg.norm(got, axis=1)
        assert (1 - cosine / np.linalg.norm(expected, axis=1)).max() < apart, precision


def test_batches_are_the_processor_s(corpus):
    options = (corpus, 0.5, 16, 3, "fill", "seconds", 1.5, 0.5)
    here, there = CardCrops(*options), CardCrops(*options, device=DEVICE)
    for step in (0, 70):
        got = there.batch(step)
        assert got.device.type == DEVICE.type
        torch.testing.assert_close(got.cpu(), here.batch(step), rtol=0, atol=1e-5)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_replayed_run_is_the_plain_one(corpus, precision):
    config = replace(SMALL, train=replace(SMALL.train, precision=precision))
    assert config.train.steps > 2 * WARM
    plain, model, _ = trained(corpus, config)
    replayed, other, _ = trained(corpus, config, replay=True)
    assert [r.loss for r in plain] == pytest.approx([r.loss for r in replayed], rel=1e-5)
    for (name, a), b in zip(model.named_parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-5, msg=name)
    assert len({r.loss for r in replayed}) == len(replayed)  # every step has its own batch


def test_a_diverging_replay_stops(corpus):
    config = replace(SMALL, train=replace(SMALL.train, clip_norm=0.0, lr=0.99, steps=400))
    model = new_model(config).to(DEVICE)
    crops = CardCrops(corpus, 0.48, 16, device=DEVICE)

    def batch(step):
        return crops.batch(step) * (float("nan") if step == 8 else 1.0)

    with pytest.raises(FloatingPointError, match="step 9"):
        list(pretrain(model, batch, replace(config.train, lr=1e-3), replay=True))


def test_bfloat16_learns_what_float32_learns(corpus):
    losses = {}
    for precision in ("float32", "bfloat16"):
        train = replace(SMALL.train, precision=precision, steps=40)
        losses[precision] = [r.loss for r in trained(corpus, replace(SMALL, train=train))[0]]
    one, other = (np.array(losses[p]) for p in losses)
    assert np.abs(one - other).max() < 0.05 and other[-5:].mean() < other[:5].mean()


def test_a_stopped_run_resumes_to_the_same_bits(corpus, tmp_path):
    def run(folder, replay, stop=None):
        crops = crops_of(corpus, SMALL, lambda *a: CardCrops(*a, device=DEVICE))
        if stop is not None:
            batch = crops.batch
            crops.batch = lambda step, rows=None: batch(step if step < stop else None, rows)
        execution = Execution(checkpoint_every=4, progress=False, replay=replay)
        return pretrain_into(folder, crops, None, SMALL, World(device=DEVICE), execution)

    for replay in (False, True):
        expected = run(tmp_path / f"whole-{replay}", replay).autoencoder().state_dict()
        with pytest.raises(TypeError):
            run(tmp_path / f"cut-{replay}", replay, stop=9)
        got = run(tmp_path / f"cut-{replay}", replay).autoencoder().state_dict()
        assert all(torch.equal(got[name], expected[name]) for name in expected), replay


def test_compiled_blocks_give_the_same_losses(corpus):
    plain, _, _ = trained(corpus)
    model = new_model(SMALL).to(DEVICE)
    crops = crops_of(corpus, SMALL, lambda *a: CardCrops(*a, device=DEVICE))
    model.calibrate(crops.batch(step) for step in range(2))
    for block in model.blocks:
        block.compile()
    compiled = [r.loss for r in pretrain(model, crops.batch, SMALL.train, replay=True)]
    assert compiled == pytest.approx([r.loss for r in plain], rel=1e-3)


def test_fsdp_of_one_process_is_the_plain_run(corpus, tmp_path):
    expected, _, _ = trained(corpus)
    backend = "nccl" if DEVICE.type == "cuda" else "gloo"
    torch.distributed.init_process_group(
        backend, init_method=f"file://{tmp_path}/meet", rank=0, world_size=1
    )
    try:
        model = new_model(SMALL).to(DEVICE)
        crops = crops_of(corpus, SMALL, lambda *a: CardCrops(*a, device=DEVICE))
        model.calibrate(crops.batch(step) for step in range(2))
        # A world of two as far as `parallelise` looks, which leaves one process alone.
        sharded = parallelise(model, model.blocks, World(size=2, device=DEVICE), "fsdp")
        optimizer = make_optimizer(model, SMALL.train)
        world = World(device=DEVICE)
        records = []
        for record in pretrain(model, crops.batch, SMALL.train, optimizer, 0, world, sharded):
            records.append(record.loss)
            if record.step == 6:  # there and back through whole tensors
                restore_state(model, optimizer, *full_state(model, optimizer), world)
        assert records == pytest.approx([r.loss for r in expected], rel=1e-4)
    finally:
        torch.distributed.destroy_process_group()


def test_eight_bit_adamw_learns(corpus):
    pytest.importorskip("bitsandbytes")
    if DEVICE.type == "cpu":
        pytest.skip("8-bit AdamW wants a card")
    config = replace(SMALL, preset="192x2x3", train=replace(SMALL.train, steps=40))
    eight = replace(config, train=replace(config.train, optimizer="adamw8bit"))
    plain, found = trained(corpus, config)[0], trained(corpus, eight)[0]
    assert np.mean([r.loss for r in found[-5:]]) == pytest.approx(
        np.mean([r.loss for r in plain[-5:]]), abs=0.05
    )
