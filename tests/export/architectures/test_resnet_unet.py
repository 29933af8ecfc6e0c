from __future__ import annotations

import functools

import pytest

torch = pytest.importorskip("torch", reason="the extra 'export' is not installed")
smp = pytest.importorskip(
    "segmentation_models_pytorch", reason="the extra 'export' is not installed"
)

from safetensors.torch import save_file  # noqa: E402 - only where torch is

from osteoserve_export.architectures import build_network, size_multiple_of  # noqa: E402
from osteoserve_export.checkpoints import load_network  # noqa: E402
from osteoserve_export.errors import ArchitectureError, CheckpointError  # noqa: E402
from tests.export.architectures.networks import seeded  # noqa: E402


@functools.cache
def smp_unet(encoder="resnet18", **options):
    return seeded(smp.Unet, encoder, encoder_weights=None, **options)


def answers_as(network, original, channels) -> bool:
    images = torch.rand(1, channels, 64, 96, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return torch.equal(network(images), original(images))


@pytest.mark.parametrize(
    ("encoder", "channels", "options", "multiple"),
    [
        ("resnet18", 1, {"classes": 3}, 32),
        ("resnet18", 3, {"classes": 1, "decoder_attention_type": "scse"}, 32),
        ("resnet34", 3, {"encoder_depth": 4, "decoder_channels": (32, 16, 8, 8)}, 16),
        ("resnet50", 1, {"classes": 2, "decoder_channels": (64, 32, 16, 8, 4)}, 32),
    ],
)
def test_what_smp_saved_is_known_by_its_weights(encoder, channels, options, multiple):
    original = smp_unet(encoder, in_channels=channels, **options)
    network = build_network("resnet_unet", original.state_dict())
    assert answers_as(network, original, channels)
    assert size_multiple_of(network) == multiple


@pytest.mark.parametrize(
    ("suffix", "prefix"),
    [(".pt", ""), (".pt", "module."), (".ckpt", "model."), (".safetensors", "")],
)
def test_files_that_smp_s_users_have(tmp_path, suffix, prefix):
    original = smp_unet(in_channels=1, classes=2)
    weights = {prefix + name: value for name, value in original.state_dict().items()}
    path = tmp_path / f"weights{suffix}"
    if suffix == ".safetensors":
        save_file(weights, path)
    else:
        torch.save({"epoch": 7, "state_dict": weights} if prefix else weights, path)
    assert answers_as(load_network(path, "resnet_unet"), original, 1)


def test_interpolation_is_the_user_s_to_state():
    original = smp_unet(in_channels=1, classes=2, decoder_interpolation="bilinear")
    weights, options = original.state_dict(), {"decoder_interpolation": "bilinear"}
    assert answers_as(build_network("resnet_unet", weights, options), original, 1)
    assert not answers_as(build_network("resnet_unet", weights), original, 1)


def test_a_wrong_class_count_is_one_line():
    weights = smp_unet(in_channels=1, classes=3).state_dict()
    with pytest.raises(
        CheckpointError,
        match=r"^pelvis.pt does not fit resnet_unet: 2 have another shape "
        r"\(segmentation_head.0.weight is \(3, 16, 3, 3\), not \(4, 16, 3, 3\)",
    ):
        build_network("resnet_unet", weights, {"classes": 4}, source="pelvis.pt")


def test_another_encoder_is_refused_by_its_blocks():
    weights = smp_unet("resnet101", in_channels=1).state_dict()
    with pytest.raises(CheckpointError, match=r"\(3, 4, 23, 3\) bottlenecks is none of resnet18"):
        build_network("resnet_unet", weights)


def test_an_encoder_of_the_same_blocks_and_other_shapes_is_refused():
    weights = smp_unet("resnext50_32x4d", in_channels=1).state_dict()
    with pytest.raises(CheckpointError, match="have another shape"):
        build_network("resnet_unet", weights)


@pytest.mark.parametrize("options", [{"encoder_name": "resnet19"}, {"decoder_channels": [8]}])
def test_impossible_options_are_one_line(options):
    weights = smp_unet(in_channels=1, classes=3).state_dict()
    with pytest.raises((ArchitectureError, CheckpointError)) as refused:
        build_network("resnet_unet", weights, options)
    assert "\n" not in str(refused.value)
