from __future__ import annotations

import subprocess
import sys

import pytest

torch = pytest.importorskip("torch", reason="the extra 'export' is not installed")

from osteoserve_export.architectures import (  # noqa: E402 - only where torch is
    build_network,
    find_architecture,
    size_multiple_of,
)
from osteoserve_export.architectures.unet import UNet  # noqa: E402
from osteoserve_export.errors import ArchitectureError, CheckpointError  # noqa: E402
from tests.export.architectures.networks import seeded  # noqa: E402


def same_answers(first, second, *, channels=1, size=(32, 64)):
    images = torch.rand(2, channels, *size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return torch.equal(first(images), second(images))


def test_finding_architectures_imports_no_torch():
    code = (
        "import sys; from osteoserve_export.architectures import find_architecture\n"
        "for name in ('unet', 'resnet_unet', 'mask_rcnn', 'some.module:factory'):\n"
        "    find_architecture(name)\n"
        "assert not {'torch', 'torchvision', 'segmentation_models_pytorch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("unet", "segmentation"),
        ("resnet_unet", "segmentation"),
        ("mask_rcnn", "detection"),
        ("a.b:c", "segmentation"),
    ],
)
def test_each_architecture_has_a_task(name, task):
    architecture = find_architecture(name)
    assert (architecture.name, architecture.task) == (name, task)


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(ArchitectureError, match=r"'vnet'.*unet, resnet_unet, mask_rcnn"):
        find_architecture("vnet")


@pytest.mark.parametrize("first_channels", [2, 4, 8])
@pytest.mark.parametrize(("downsamplings", "classes"), [(4, 1), (1, 3), (5, 2)])
def test_a_u_net_is_known_by_its_weights(first_channels, downsamplings, classes):
    network = seeded(UNet, first_channels, downsamplings, classes)
    built = build_network("unet", network.state_dict())
    assert same_answers(built, network)
    assert size_multiple_of(built) == 2**downsamplings
    assert not built.training


@pytest.mark.parametrize("prefix", ["module.", "model.", "_orig_mod.module.net."])
def test_a_prefix_of_all_names_is_left_out(prefix):
    network = seeded(UNet, 2, 2)
    weights = {prefix + name: value for name, value in network.state_dict().items()}
    assert same_answers(build_network("unet", weights), network)


def test_what_the_user_states_goes_before_what_the_weights_tell():
    weights = UNet(2, 2, 3).state_dict()
    with pytest.raises(CheckpointError) as refused:
        build_network("unet", weights, {"classes": 5}, source="bones.pt")
    assert str(refused.value) == (
        "bones.pt does not fit unet: 2 have another shape (head.weight is (3, 2, 1, 1), not "
        "(5, 2, 1, 1), head.bias is (3,), not (5,))"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"clases": 2}, "no option is called 'clases'"),
        ({"classes": "two"}, "classes must be of the kind of 1, not 'two'"),
        ({"classes": True}, "classes must be of the kind of 1"),
        ({"first_channels": 0}, "no U-Net"),
        ({"downsamplings": -1}, "no U-Net"),
    ],
)
def test_impossible_options_are_refused(options, message):
    with pytest.raises(ArchitectureError, match=message):
        build_network("unet", UNet(2, 1).state_dict(), options)


def test_missing_weights_are_counted_and_named():
    weights = UNet(2, 1).state_dict()
    for name in ("up.0.weight", "up.0.bias"):
        del weights[name]
    with pytest.raises(CheckpointError, match=r"2 are missing \(up.0.weight, up.0.bias\)$"):
        build_network("unet", weights)


def test_unknown_weights_are_counted_and_named():
    weights = UNet(2, 1).state_dict() | {f"loss.{n}": torch.zeros(1) for n in range(5)}
    with pytest.raises(CheckpointError, match=r"5 are unknown \(loss.0, loss.1, loss.2, \.\.\.\)$"):
        build_network("unet", weights)


@pytest.mark.parametrize("name", ["unet", "resnet_unet"])
def test_another_network_s_weights_are_refused_in_one_line(name):
    with pytest.raises(CheckpointError) as refused:
        build_network(name, torch.nn.Linear(2, 3).state_dict(), source="linear.pt")
    assert str(refused.value).startswith(f"linear.pt does not fit {name}: ")
    assert "\n" not in str(refused.value)


def test_weights_from_before_batch_norm_counted_its_steps_are_taken():
    network = seeded(UNet, 2, 1)
    weights = {
        name: value
        for name, value in network.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    assert same_answers(build_network("unet", weights), network)
