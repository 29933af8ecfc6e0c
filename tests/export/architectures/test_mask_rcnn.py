from __future__ import annotations

import dataclasses

import pytest

torch = pytest.importorskip("torch", reason="the extra 'export' is not installed")
detection = pytest.importorskip(
    "torchvision.models.detection", reason="the extra 'export' is not installed"
)

from torch import nn  # noqa: E402 - only where torch is
from torchvision.ops.misc import FrozenBatchNorm2d  # noqa: E402

from osteoserve_export.architectures import build_network  # noqa: E402
from osteoserve_export.architectures.mask_rcnn import (  # noqa: E402
    SMALL,
    current_names,
    new_mask_rcnn,
    shape_of,
)
from osteoserve_export.errors import ArchitectureError, CheckpointError  # noqa: E402
from tests.export.graphs.detector import TINY, images, varied_detector, views  # noqa: E402

FORMS = {
    "small": SMALL,
    "tiny": TINY,
    "ResNet-34": dataclasses.replace(TINY, blocks=(3, 4, 6, 3)),
    "ResNet-50": dataclasses.replace(TINY, blocks=(3, 4, 6, 3), bottleneck=True, channels=1),
    "as in v2": dataclasses.replace(
        TINY, normalised=True, proposal_depth=2, box_convolutions=(16, 24)
    ),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_every_size_is_read_from_the_weights(form):
    assert shape_of(new_mask_rcnn(form).state_dict()) == form


def test_the_small_network_fits_into_git():
    parameters = sum(parameter.numel() for parameter in new_mask_rcnn().parameters())
    assert 2 * parameters < 45e6


@pytest.mark.parametrize(
    "made", [detection.maskrcnn_resnet50_fpn, detection.maskrcnn_resnet50_fpn_v2]
)
def test_torchvision_s_own_networks_load_as_they_are(made):
    torch.manual_seed(0)
    weights = made(weights=None, weights_backbone=None, num_classes=11).state_dict()
    loaded = build_network("mask_rcnn", weights).state_dict()
    assert loaded.keys() == weights.keys()
    assert all(torch.equal(loaded[name], value) for name, value in weights.items())


def test_what_the_weights_do_not_tell_is_torchvision_s_own():
    """Who trained with torchvision, and changed nothing, says nothing here either."""
    made = detection.maskrcnn_resnet50_fpn(weights=None, weights_backbone=None, num_classes=11)
    loaded = build_network("mask_rcnn", made.state_dict())
    for name in ("min_size", "max_size", "fixed_size", "image_mean", "image_std", "size_divisible"):
        assert _plain(loaded.transform, name) == _plain(made.transform, name), name
    for name in ("_pre_nms_top_n", "_post_nms_top_n", "nms_thresh", "score_thresh", "min_size"):
        assert getattr(loaded.rpn, name) == getattr(made.rpn, name), name
    for name in ("sizes", "aspect_ratios"):
        anchors, own = loaded.rpn.anchor_generator, made.rpn.anchor_generator
        assert getattr(anchors, name) == getattr(own, name), name
    for name in ("score_thresh", "nms_thresh", "detections_per_img"):
        assert getattr(loaded.roi_heads, name) == getattr(made.roi_heads, name), name
    norms = [
        {module.eps for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)}
        for network in (loaded, made)
    ]
    assert norms[0] == norms[1]


def _plain(owner, name):
    value = getattr(owner, name)
    return list(value) if isinstance(value, tuple | list) else value


@pytest.mark.parametrize("prefix", ["", "model.module."])
def test_a_reloaded_network_answers_the_same(prefix):
    network, size = varied_detector(size=(288, 224)), (288, 224)
    weights = {prefix + name: value for name, value in network.state_dict().items()}
    options = {
        "fixed_size": [224, 288],
        "rpn_pre_nms_top_n_test": 150,
        "rpn_post_nms_top_n_test": 400,
    }
    again = build_network("mask_rcnn", weights, options)
    seen = images(views(1, size))
    with torch.no_grad():
        (expected,), (found,) = network(seen), again(seen)
    assert len(expected["boxes"]) > 50
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_frozen_batch_norm_loads():
    network = new_mask_rcnn(TINY)
    _freeze(network)
    weights = network.state_dict()
    assert not any(name.endswith("num_batches_tracked") for name in weights)
    loaded = build_network("mask_rcnn", weights).state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in weights.items())


def test_names_of_before_torchvision_0_13_are_known():
    now = new_mask_rcnn(TINY).state_dict()
    before = {}
    for name, value in now.items():
        old = name.replace("rpn.head.conv.0.0.", "rpn.head.conv.")
        for n in range(4):
            old = old.replace(f"_blocks.{n}.0.", f"_blocks.{n}.")
            old = old.replace(f"mask_head.{n}.0.", f"mask_head.mask_fcn{n + 1}.")
        before[old] = value
    assert before.keys() != now.keys()
    assert current_names(before).keys() == now.keys()
    assert current_names(now).keys() == now.keys()
    loaded = build_network("mask_rcnn", before).state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in now.items())
    assert shape_of(before) == TINY


def test_batch_norm_s_epsilon_can_be_stated():
    network = new_mask_rcnn(TINY, {"norm_eps": 0.0})
    assert {m.eps for m in network.modules() if isinstance(m, nn.BatchNorm2d)} == {0.0}


@pytest.mark.parametrize(
    "options", [{"fixed_size": (512, 950)}, {"min_size": 512, "max_size": 950}]
)
def test_a_view_of_the_stated_size_is_neither_resized_nor_cut(options):
    network = new_mask_rcnn(TINY, options).eval()
    view = torch.rand(3, 950, 512)
    batch, _ = network.transform([view])
    assert batch.image_sizes == [(950, 512)]
    assert batch.tensors.shape == (1, 3, 960, 512)
    torch.testing.assert_close(
        batch.tensors[0, :, :950], network.transform.normalize(view), rtol=0, atol=1e-6
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"score": 0.1}, "no option is called 'score'"),
        ({"anchor_sizes": [32, 64]}, "one entry for each of 5 levels"),
        ({"image_mean": [0.5]}, "image_mean needs 3 values"),
        ({"box_score_thresh": "low"}, "box_score_thresh must be of the kind of 0.05"),
    ],
)
def test_impossible_options_are_named(options, message):
    with pytest.raises(ArchitectureError, match=message):
        new_mask_rcnn(TINY, options)


def test_other_networks_are_refused():
    with pytest.raises(CheckpointError, match=r"does not fit mask_rcnn.*conv1\.weight is missing"):
        build_network("mask_rcnn", {"layer.weight": torch.zeros(3, 3), "b": torch.zeros(1)})


def test_other_anchors_are_refused():
    weights = new_mask_rcnn(TINY, {"aspect_ratios": (0.5, 1.0)}).state_dict()
    with pytest.raises(CheckpointError, match=r"rpn\.head\.cls_logits\.weight is \(2, 24, 1, 1\)"):
        build_network("mask_rcnn", weights)
    build_network("mask_rcnn", weights, {"aspect_ratios": [0.5, 1.0]})


def _freeze(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            setattr(module, name, FrozenBatchNorm2d(child.num_features))
        else:
            _freeze(child)
