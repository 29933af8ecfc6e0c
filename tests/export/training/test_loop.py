from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'export' is not installed")
smp = pytest.importorskip(
    "segmentation_models_pytorch", reason="the extra 'export' is not installed"
)

from safetensors.torch import load_file  # noqa: E402 - only where torch is

from osteoserve_export.architectures.unet import UNet  # noqa: E402
from osteoserve_export.checkpoints import load_network, save_checkpoint  # noqa: E402
from osteoserve_export.errors import ArchitectureError, RecipeError  # noqa: E402
from osteoserve_export.graphs.segmentation import SegmentationGraph  # noqa: E402
from osteoserve_export.training.augmentation import Batch  # noqa: E402
from osteoserve_export.training.classes import class_target  # noqa: E402
from osteoserve_export.training.evaluation import compare, segment  # noqa: E402
from osteoserve_export.training.loop import class_shares, segmentation_loss, train  # noqa: E402
from osteoserve_export.training.network import new_network  # noqa: E402
from osteoserve_export.training.recipe import TrainingOptions  # noqa: E402
from osteoserve_export.training.sampling import CropSource  # noqa: E402
from osteoserve_preprocessing.core import StretcherMethod  # noqa: E402
from tests.export.conftest import tube_pair  # noqa: E402

TINY = TrainingOptions(first_channels=2, steps=3, batch=2, crop=32)
PATIENT = {"classes": ("patient", "bone"), "window_hu": (-300, 700)}
TINY_PATIENT = TrainingOptions(first_channels=2, steps=3, batch=2, crop=32, **PATIENT)
TINY_RESNET = TrainingOptions(
    architecture="resnet_unet",
    encoder="resnet18",
    steps=3,
    batch=2,
    crop=32,
    learning_rate=1e-3,
    **PATIENT,
)


def tube_source(options: TrainingOptions) -> CropSource:
    return CropSource(tube_pair(), 1.0, classes=options.classes, window=options.window)


def weights(network) -> list[torch.Tensor]:
    return list(network.state_dict().values())


@pytest.mark.parametrize("options", [TINY, TINY_PATIENT, TINY_RESNET])
def test_the_same_seed_trains_the_same_network(options):
    source = tube_source(options)
    first, second = (weights(train([source], options)) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_another_seed_trains_another():
    source = CropSource(tube_pair(), 1.0)
    other = TrainingOptions(first_channels=2, steps=3, batch=2, crop=32, seed=7)
    pairs = zip(weights(train([source], TINY)), weights(train([source], other)), strict=True)
    assert not all(torch.equal(a, b) for a, b in pairs)


def test_going_on_from_a_network_leaves_it_as_it_was():
    source = CropSource(tube_pair(), 1.0)
    first = train([source], TINY)
    before = [value.clone() for value in weights(first)]
    second = train([source], TINY, initial=first, strength=0.5)
    assert all(torch.equal(a, b) for a, b in zip(weights(first), before, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(weights(first), weights(second), strict=True))


def nested(*, known: bool = True) -> Batch:
    """A batch of two 8x8 crops: columns 2 to 7 are patient, 4 and 5 of these bone."""
    target = torch.zeros(2, 2, 8, 8)
    target[:, 0, :, 2:], target[:, 1, :, 4:6] = 1, 1
    return Batch(torch.zeros(2, 1, 8, 8), target, torch.full((2, 1, 8, 8), float(known)))


def alone() -> Batch:
    """The same crops, of which only bone is asked."""
    batch = nested()
    return Batch(batch.grey, batch.target[:, 1:], batch.known)


def certain(batch: Batch) -> torch.Tensor:
    """Logits of a network that is right, and sure of it."""
    if batch.target.shape[1] == 1:
        return 40 * (batch.target - 0.5)
    return 20 * class_shares(batch.target)


@pytest.mark.parametrize("batch", [alone(), nested()], ids=["sigmoid", "softmax"])
def test_ignored_pixels_have_no_part_in_the_loss(batch):
    batch.known[..., 6:] = 0
    logits = torch.rand(certain(batch).shape, generator=torch.Generator().manual_seed(0))
    plain = segmentation_loss(logits, batch)
    logits[..., 6:], batch.target[..., 6:] = 9.0, 1.0
    assert segmentation_loss(logits, batch) == plain


@pytest.mark.parametrize("batch", [alone(), nested()], ids=["sigmoid", "softmax"])
def test_the_loss_knows_right_from_wrong(batch):
    right = certain(batch)
    assert segmentation_loss(right, batch) < 1e-4
    assert segmentation_loss(-right, batch) > 5


@pytest.mark.parametrize("batch", [alone(), nested()], ids=["sigmoid", "softmax"])
def test_where_nothing_is_known_nothing_is_learned(batch):
    unknown = Batch(batch.grey, batch.target, torch.zeros_like(batch.known))
    logits = torch.zeros(certain(batch).shape, requires_grad=True)
    segmentation_loss(logits, unknown).backward()
    assert logits.grad is not None
    assert (logits.grad == 0).all()


def test_the_loss_of_three_classes_worked_out_by_hand():
    # Equal logits: cross-entropy is ln 3. Of 128 pixels 32, 64 and 32 are of the classes, so that
    # with a probability of 1/3 everywhere Dice is (2 n / 3 + 1) / (128 / 3 + n + 1).
    dice = [(2 * n / 3 + 1) / (128 / 3 + n + 1) for n in (32, 64, 32)]
    expected = math.log(3) + 1 - sum(dice) / 3
    loss = segmentation_loss(torch.zeros(2, 3, 8, 8), nested())
    assert float(loss) == pytest.approx(expected, rel=1e-5)


def test_a_class_that_is_absent_has_no_dice():
    batch = nested()
    batch.target[:, 1] = 0
    dice = [(2 * n / 3 + 1) / (128 / 3 + n + 1) for n in (32, 96)]
    expected = math.log(3) + 1 - sum(dice) / 2
    assert float(segmentation_loss(torch.zeros(2, 3, 8, 8), batch)) == pytest.approx(expected)


def test_shares_of_classes_count_regions():
    target = nested().target
    shares = class_shares(target)
    assert torch.equal(shares.sum(dim=1), torch.ones(2, 8, 8))
    assert torch.equal(shares.argmax(dim=1), target.sum(dim=1).long())


def test_nothing_to_train_on_is_refused():
    with pytest.raises(RecipeError):
        train([], TINY)


@pytest.fixture(scope="module")
def trained():
    return train([tube_source(TINY_RESNET)], TINY_RESNET)


def test_what_is_trained_is_a_plain_unet_of_smp(trained, tmp_path):
    save_checkpoint(trained, tmp_path / "pelvis.safetensors")
    plain = smp.Unet("resnet18", encoder_weights=None, in_channels=1, classes=3)
    plain.load_state_dict(load_file(tmp_path / "pelvis.safetensors"), strict=True)
    slices = torch.rand(1, 1, 64, 96, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        # Its kernels lie otherwise in memory, and sums are rounded otherwise.
        torch.testing.assert_close(plain.eval()(slices), trained(slices), rtol=1e-3, atol=1e-4)


def test_what_is_trained_is_served_with_three_labels(trained, tmp_path):
    save_checkpoint(trained, tmp_path / "pelvis.safetensors", half=True)
    graph = SegmentationGraph(
        load_network(tmp_path / "pelvis.safetensors", "resnet_unet"), activation="argmax"
    )
    assert graph.classes == 3
    assert graph.folded > 0
    labels = graph.segment(np.zeros((2, 64, 96), dtype=np.uint8))
    assert labels.shape == (2, 64, 96)
    assert labels.max() <= 2


@pytest.mark.parametrize(
    ("options", "sizes"),
    [
        (TINY, (1, UNet)),
        (TINY_PATIENT, (3, UNet)),
        (TINY_RESNET, (3, smp.Unet)),
    ],
)
def test_a_new_network_has_the_recipe_s_classes(options, sizes):
    channels, kind = sizes
    network = new_network(options).eval()
    assert isinstance(network, kind)
    assert network(torch.zeros(1, 1, 64, 64)).shape == (1, channels, 64, 64)


def test_an_unknown_encoder_is_named():
    with pytest.raises(ArchitectureError, match="'resnet19': there are resnet18"):
        new_network(dataclasses.replace(TINY_RESNET, encoder="resnet19"))


def test_a_resnet_unet_learns_on_a_tube():
    options = dataclasses.replace(TINY_RESNET, steps=12, batch=4, crop=64)
    losses = []
    train(
        [tube_source(options)],
        options,
        strength=0.0,
        report_every=4,
        on_progress=lambda progress: losses.append(progress.loss),
    )
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.slow
def test_a_network_learns_a_tube_of_bone():
    pair = tube_pair()
    options = TrainingOptions(first_channels=4, steps=80, batch=4, crop=64, learning_rate=1e-2)
    network = train([CropSource(pair, 1.0)], options)
    mask = segment(SegmentationGraph(network).segment, pair.volume, stretcher=StretcherMethod.NONE)
    assert compare(mask, pair.target).dice > 0.8


@pytest.mark.slow
def test_a_network_learns_patient_and_bone():
    options = dataclasses.replace(
        TINY_PATIENT, first_channels=4, steps=100, batch=4, crop=64, learning_rate=1e-2
    )
    pair = tube_pair()
    network = train([tube_source(options)], options)
    mask = segment(
        SegmentationGraph(network, activation="argmax").segment,
        pair.volume,
        window=options.window,
        classes=2,
        stretcher=StretcherMethod.NONE,
    )
    target = class_target(pair, options.classes)
    assert compare(mask, target, 1).dice > 0.9
    assert compare(mask, target, 2).dice > 0.7
