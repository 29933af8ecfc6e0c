from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the extra 'export' is not installed")
ops = pytest.importorskip("torchvision.ops", reason="the extra 'export' is not installed")

from osteoserve_export.graphs.detection.suppression import pick, suppress  # noqa: E402


def crowd(count: int, seed: int) -> torch.Tensor:
    """(K, 4) boxes that overlap at every degree."""
    generator = torch.Generator().manual_seed(seed)
    low = torch.rand(count, 2, generator=generator) * 120
    return torch.cat([low, low + 5 + torch.rand(count, 2, generator=generator) * 80], dim=1)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7])
def test_what_stays_is_what_the_greedy_way_keeps(seed, threshold):
    boxes = torch.stack([crowd(200, seed), crowd(200, seed + 100)])
    stay = suppress(boxes, torch.ones(2, 200, dtype=torch.bool), threshold)
    for image, kept in zip(boxes, stay, strict=True):
        greedy = ops.nms(image, torch.arange(200, 0, -1).float(), threshold)
        assert 5 < len(greedy) < 195
        assert kept.nonzero().flatten().tolist() == greedy.tolist()


def test_a_decision_may_hang_on_all_before_it():
    # Each box overlaps its neighbours alone: every second one stays, after as many rounds as boxes.
    low = torch.arange(60).float().view(-1, 1) * torch.tensor([[4.0, 0.0]])
    boxes = torch.cat([low, low + 10], dim=1).unsqueeze(0)
    stay = suppress(boxes, torch.ones(1, 60, dtype=torch.bool), 0.3)
    assert stay[0].tolist() == [True, False] * 30


def test_filling_neither_stays_nor_suppresses():
    boxes = torch.tensor([[[0, 0, 10, 10], [0, 0, 10, 9], [0, 0, 9, 10], [0, 0, 0, 0]]]).float()
    valid = torch.tensor([[False, True, True, False]])
    assert suppress(boxes, valid, 0.5).tolist() == [[False, True, False, False]]
    assert not suppress(boxes, torch.zeros(1, 4, dtype=torch.bool), 0.5).any()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("count", [7, 900])
def test_what_is_picked_is_what_the_greedy_way_keeps(seed, count):
    generator = torch.Generator().manual_seed(seed)
    boxes = torch.stack([crowd(1200, seed), crowd(1200, seed + 100)])
    labels = torch.arange(1200) % 3
    scores = torch.rand(2, 1200, generator=generator)
    scores[:, ::4] = 0.0
    index, values = pick(boxes, labels, scores, 0.5, count)
    for n in range(2):
        given = scores[n].nonzero().flatten()
        kept = ops.batched_nms(boxes[n][given], scores[n][given], labels[given], 0.5)
        greedy = given[kept][:count]
        assert 6 < len(greedy) < 900
        assert index[n, : len(greedy)].tolist() == greedy.tolist()
        assert torch.equal(values[n, : len(greedy)], scores[n][greedy])
        assert not values[n, len(greedy) :].any()
        assert not index[n, len(greedy) :].any()


def test_an_image_without_candidates_is_empty_beside_one_with_many():
    boxes = torch.stack([crowd(50, 0), crowd(50, 1)])
    scores = torch.stack([torch.zeros(50), torch.rand(50) + 0.1])
    _, values = pick(boxes, torch.ones(50, dtype=torch.int64), scores, 0.5, 10)
    assert not values[0].any()
    assert (values[1] > 0).all()


def test_boxes_without_area_are_picked_once():
    boxes = torch.zeros(1, 3, 4)
    index, values = pick(boxes, torch.ones(3).long(), torch.tensor([[0.5, 0.9, 0.7]]), 0.5, 5)
    assert index.tolist() == [[1, 2, 0, 0, 0]]
    assert (values > 0).sum() == 3
