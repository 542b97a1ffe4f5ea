"""Spatially-adaptive convolution against the plain form of its definition (Fig. 4), in value and gradient."""

import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F  # noqa: E402

from models.squeezesegv3.sac import VARIANTS, SACBlock, coordinates  # noqa: E402
from tests.support.networks import as_if_trained  # noqa: E402


def plain_sac(block: SACBlock, xyz: torch.Tensor, feature: torch.Tensor) -> torch.Tensor:
    """Fig. 4 step by step: attention; unfolded in the order c·9 + k where the map knows kernel positions; the rest."""
    if block.sac == "none":
        return block.position_mlp_2(feature) + feature
    attention = torch.sigmoid(block.attention_x(xyz))
    if block.sac in ("s", "is"):
        return block.position_mlp_2(feature * attention) + feature
    batch, channels, height, width = feature.shape
    unfolded = F.unfold(feature, 3, padding=1).view(batch, channels * 9, height, width)
    if block.sac == "sk":
        attention = attention.repeat(1, channels, 1, 1)
    return block.position_mlp_2(unfolded * attention) + feature


def relative_difference(a: torch.Tensor, b: torch.Tensor) -> float:
    return ((a - b).abs().max() / b.abs().max().clamp(min=1e-12)).item()


@pytest.mark.parametrize("sac", VARIANTS)
@pytest.mark.parametrize("training", [False, True])
def test_block_is_its_definition(sac, training):
    torch.manual_seed(1)
    block = as_if_trained(SACBlock(8, sac)).double().train(training)
    plain = SACBlock(8, sac).double().train(training)
    plain.load_state_dict(block.state_dict())
    xyz, feature = torch.randn(2, 3, 6, 16).double(), torch.randn(2, 8, 6, 16).double()
    ours_in, plain_in = feature.clone().requires_grad_(), feature.clone().requires_grad_()
    wanted = torch.randn_like(feature)
    ours, reference = block(coordinates(xyz, training=training), ours_in), plain_sac(plain, xyz, plain_in)
    assert relative_difference(ours, reference) < 1e-5
    (ours * wanted).sum().backward()
    (reference * wanted).sum().backward()
    assert relative_difference(ours_in.grad, plain_in.grad) < 1e-5
    for (name, a), b in zip(block.named_parameters(), plain.parameters(), strict=True):
        assert a.grad is not None, name
        assert torch.allclose(a.grad, b.grad, rtol=1e-4, atol=1e-4 * float(b.grad.abs().max()) + 1e-5), name
    for (name, a), b in zip(block.named_buffers(), plain.buffers(), strict=True):
        assert torch.allclose(a, b, rtol=1e-5, atol=1e-6), name


def test_autocast_stays_near():
    torch.manual_seed(2)
    block = as_if_trained(SACBlock(16)).train()
    xyz, feature = torch.randn(1, 3, 8, 32), torch.randn(1, 16, 8, 32)
    exact = block(coordinates(xyz, training=True), feature)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = block(coordinates(xyz, training=True), feature)
    assert not torch.equal(rounded.float(), exact)
    assert relative_difference(rounded.float(), exact) < 0.03


def _share(rank: int, xyz: torch.Tensor, folder: str) -> None:
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    at = coordinates(xyz[rank : rank + 1], training=True, synchronised=True)
    torch.save((at.mean, at.covariance), f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


def test_statistics_are_those_of_all_processes(tmp_path):
    xyz = torch.randn(2, 3, 8, 16)
    torch.multiprocessing.spawn(_share, (xyz, str(tmp_path)), nprocs=2)
    whole = coordinates(xyz, training=True)
    for rank in range(2):
        mean, covariance = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        assert torch.allclose(mean, whole.mean, atol=1e-6)
        assert torch.allclose(covariance, whole.covariance, atol=1e-5)


def test_unknown_variant_is_refused():
    with pytest.raises(ValueError, match="none, s, is, sk, isk"):
        SACBlock(8, "oisk")


@pytest.mark.parametrize(
    ("sac", "parameters"), [("none", 0), ("s", 150), ("is", 4_800), ("sk", 1_350), ("isk", 43_200)]
)
def test_attention_has_as_many_parameters_as_it_has_maps(sac, parameters):
    """7·7·3 weights, a bias and two numbers of batch norm per map, and 1, C, 9 or 9·C maps (C = 32)."""
    block = SACBlock(32, sac)
    attention = getattr(block, "attention_x", torch.nn.Identity())
    assert sum(p.numel() for p in attention.parameters()) == parameters
