from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the extra 'export' is not installed")

from osteoserve_export.errors import RecipeError  # noqa: E402
from osteoserve_export.graphs.segmentation import SegmentationGraph  # noqa: E402
from osteoserve_export.training.augmentation import Batch  # noqa: E402
from osteoserve_export.training.evaluation import compare, segment  # noqa: E402
from osteoserve_export.training.loop import segmentation_loss, train  # noqa: E402
from osteoserve_export.training.recipe import TrainingOptions  # noqa: E402
from osteoserve_export.training.sampling import CropSource  # noqa: E402
from osteoserve_preprocessing.core import StretcherMethod  # noqa: E402
from tests.export.conftest import tube_pair  # noqa: E402

TINY = TrainingOptions(first_channels=2, steps=3, batch=2, crop=32)


def weights(network) -> list[torch.Tensor]:
    return list(network.state_dict().values())


def test_the_same_seed_trains_the_same_network():
    source = CropSource(tube_pair(), 1.0)
    first, second = (weights(train([source], TINY)) for _ in range(2))
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


def test_ignored_pixels_have_no_part_in_the_loss():
    logits = torch.zeros(1, 1, 8, 8)
    target, known = torch.zeros(1, 1, 8, 8), torch.ones(1, 1, 8, 8)
    known[..., 4:] = 0
    batch = Batch(torch.zeros(1, 1, 8, 8), target, known)
    plain = segmentation_loss(logits, batch)
    logits[..., 4:], target[..., 4:] = 9.0, 1.0
    assert segmentation_loss(logits, batch) == plain


def test_the_loss_knows_right_from_wrong():
    target = torch.zeros(1, 1, 8, 8)
    target[..., :4] = 1
    batch = Batch(target, target, torch.ones_like(target))
    right, wrong = 20 * (target - 0.5), 20 * (0.5 - target)
    assert segmentation_loss(right, batch) < 0.02
    assert segmentation_loss(wrong, batch) > 5


def test_nothing_to_train_on_is_refused():
    with pytest.raises(RecipeError):
        train([], TINY)


@pytest.mark.slow
def test_a_network_learns_a_tube_of_bone():
    pair = tube_pair()
    options = TrainingOptions(first_channels=4, steps=80, batch=4, crop=64, learning_rate=1e-2)
    network = train([CropSource(pair, 1.0)], options)
    mask = segment(SegmentationGraph(network).segment, pair.volume, stretcher=StretcherMethod.NONE)
    assert compare(mask, pair.target).dice > 0.8
