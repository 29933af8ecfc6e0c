"""A wrong export is caught, whatever is wrong with it."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'export' is not installed")

from osteoserve_export.errors import ParityError  # noqa: E402
from osteoserve_export.label_codes import labels_of_names  # noqa: E402
from osteoserve_export.parity import proof  # noqa: E402
from osteoserve_export.parity.reference import Reference  # noqa: E402
from osteoserve_export.parity.trials import Trial, ellipses  # noqa: E402
from osteoserve_export.specification import SegmentationSpecification  # noqa: E402
from tests.export.graphs.test_segmentation import briefly_trained  # noqa: E402

ASKED = SegmentationSpecification(architecture="unet", name="box", labels=labels_of_names(["bone"]))


@functools.cache
def expected() -> tuple[proof.Expected, ...]:
    reference = Reference(briefly_trained(), ASKED, channels=1)
    return proof.expectations(reference, [ellipses(5, 64, 64), ellipses(2, 32, 48)], ASKED)


class Answering:
    """A runtime that computes with torch what a correct or a wrong export would hold."""

    def __init__(self, network=None, *, scale=1 / 255, logits=True, limit=0.0):
        self.network, self.scale, self.limit = network or Trained(), scale, limit
        self.with_logits = logits

    @torch.no_grad()
    def run(self, slices):
        logits = self.network(torch.from_numpy(slices)[:, None] * self.scale).numpy()
        answer = {"labels": (logits[:, 0] > self.limit).astype(np.uint8)}
        return answer | ({"logits": logits} if self.with_logits else {})


class Trained(torch.nn.Module):
    """Trains when it is asked, not while pytest looks for tests."""

    def forward(self, grey):
        return briefly_trained()(grey)


class Transposed(torch.nn.Module):
    def forward(self, grey):
        return briefly_trained()(grey.transpose(2, 3)).transpose(2, 3)


class OffByOne(torch.nn.Module):
    """A resize whose rounding is wrong by one pixel."""

    def forward(self, grey):
        return torch.roll(briefly_trained()(grey), 1, dims=3)


class BatchLeaks(torch.nn.Module):
    """A normalisation that forgot to be in evaluation mode: slices depend on each other."""

    def forward(self, grey):
        return briefly_trained()(grey - grey.mean() + grey[:1].mean())


def proven(runtime, asked=ASKED):
    rows = proof.compare_runtime("a runtime", runtime, expected(), asked)
    proof.SegmentationProof(asked, rows).check()
    return rows


def test_a_correct_export_passes_at_every_batch_size():
    rows = proven(Answering())
    assert {row.batch for row in rows} == set(proof.BATCHES)
    assert len({row.study for row in rows}) == 2
    assert min(row.dice for row in rows) == 1.0
    assert max(row.logit_error for row in rows) < 1e-5


@pytest.mark.parametrize(
    "wrong",
    [
        Answering(scale=1.0),
        Answering(scale=1 / 256, logits=True),
        Answering(Transposed(), logits=False),
        Answering(OffByOne(), logits=False),
        Answering(BatchLeaks(), logits=True),
        Answering(limit=2.0, logits=False),
    ],
    ids=["unscaled", "scaled by 256", "swapped axes", "wrong resize", "batch leaks", "threshold"],
)
def test_a_broken_export_is_caught(wrong):
    with pytest.raises(ParityError) as caught:
        proven(wrong)
    assert "a runtime" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_the_message_says_by_how_much_and_where():
    with pytest.raises(ParityError, match=r"bone only to a Dice of 0\.\d+ \(needed: 0.999\), in "):
        proven(Answering(OffByOne(), logits=False))


def test_a_tolerance_decides_what_passes():
    loose = dataclasses.replace(ASKED, least_dice=0.01)
    proven(Answering(OffByOne(), logits=False), loose)


def test_a_network_that_finds_nothing_proves_nothing():
    black = Trial("black", np.zeros((2, 32, 32), np.uint8))
    with pytest.raises(ParityError, match=r"no proof.*bone.*--study"):
        proof.expectations(Reference(briefly_trained(), ASKED, channels=1), [black], ASKED)


def test_probabilities_are_not_taken_for_logits():
    """Every one of them is above 0, where the logit of one half lies."""
    network = torch.nn.Sequential(briefly_trained(), torch.nn.Sigmoid()).eval()
    with pytest.raises(ParityError, match="between 0 and 1, as behind a sigmoid"):
        proof.expectations(Reference(network, ASKED, channels=1), [ellipses(2, 32, 32)], ASKED)


def test_as_many_classes_as_labels():
    two = dataclasses.replace(ASKED, labels=labels_of_names(["a", "b"]), activation="argmax")
    with pytest.raises(ParityError, match="1 output channels; 2 labels with argmax need 3"):
        proof.expectations(
            Reference(briefly_trained(), two, channels=1), [ellipses(1, 32, 32)], two
        )


def test_numbers_that_are_not_finite_are_no_answer():
    class Broken(torch.nn.Module):
        def forward(self, grey):
            return grey / 0.0

    with pytest.raises(ParityError, match="not finite"):
        proof.expectations(Reference(Broken(), ASKED, channels=1), [ellipses(1, 32, 32)], ASKED)


def test_ellipses_are_the_same_for_the_same_seed():
    first, second = ellipses(2, 32, 48), ellipses(2, 32, 48)
    np.testing.assert_array_equal(first.images, second.images)
    assert first.images.std() > 20
