"""Parity of detections: every study, every runtime, several batch sizes, and the pasted masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from osteoserve_export.errors import ParityError
from osteoserve_export.parity.detection_proof import DetectionRow
from osteoserve_export.parity.detection_reference import DetectionReference, Found
from osteoserve_export.parity.detections import match_detections
from osteoserve_export.parity.masks import label_agreement
from osteoserve_export.parity.rows import Row
from osteoserve_export.parity.runtimes import Runtime, in_batches
from osteoserve_export.parity.trials import Trial
from osteoserve_export.specification import DetectionSpecification
from osteoserve_preprocessing.core.mask_paste import paste_masks
from osteoserve_preprocessing.inference.detections import Detections, unpack_detections

#: Images in one request; the graph is traced with two.
BATCHES: Final = (1, 3, 8)


class Find(Protocol):
    """Something that finds what there is in images."""

    def __call__(self, images: npt.NDArray[np.uint8], batch: int, /) -> tuple[Detections, ...]:
        """Those of each of (N, H, W) uint8 images, asked in requests of ``batch`` images."""
        ...


@dataclass(frozen=True, eq=False)
class ExpectedDetections:
    """What the network itself finds in a trial.

    Args:
        trial: The trial.
        detections: Of each image.
        masks: For each label value (N, H, W) bool, where a mask of it was pasted.
    """

    trial: Trial
    detections: tuple[Detections, ...]
    masks: Mapping[int, npt.NDArray[np.bool_]]


def expected_detections(
    reference: DetectionReference, trials: Sequence[Trial], asked: DetectionSpecification
) -> tuple[ExpectedDetections, ...]:
    """Ask the network itself.

    Args:
        reference: The network.
        trials: What to ask; images of one size.
        asked: Labels.

    Raises:
        ParityError: It answers numbers that are not finite, or does not find every label, so that
            agreement would prove nothing.
    """
    answers = []
    for trial in trials:
        found = [reference.find(image) for image in trial.images]
        if not all(_finite(each.detections) for each in found):
            raise ParityError(f"the network answers {trial.name} with numbers that are not finite")
        answers.append(_expected(trial, found, asked))
    seen = {int(value) for item in answers for each in item.detections for value in each.labels}
    missing = [name for value, name in asked.label_names.items() if value not in seen]
    if missing:
        raise ParityError(
            f"no proof: the network finds no {', no '.join(missing)} in the trial images; give a "
            "study that shows it (--study)"
        )
    return tuple(answers)


def compare_detections(
    runtime: str,
    find: Find,
    expected: Sequence[ExpectedDetections],
    asked: DetectionSpecification,
    *,
    batches: Sequence[int] = BATCHES,
) -> tuple[DetectionRow, ...]:
    """Compare what is found in all trials, at every batch size.

    Images of different trials share requests, so that one that leaks into another is noticed.

    Args:
        runtime: How the report calls it.
        find: Asks it.
        expected: The network's own answers.
        asked: Labels.
        batches: Images in one request.

    Raises:
        ParityError: An answer has another shape, or holds what is no detection.
    """
    images = np.concatenate([item.trial.images for item in expected])
    rows: list[DetectionRow] = []
    for batch in batches:
        if batch > asked.max_batch:
            continue
        found = find(images, batch)
        if len(found) != len(images):
            raise ParityError(f"{runtime}: {len(found)} images were answered, not {len(images)}")
        _check_answers(runtime, found, asked)
        rest = iter(found)
        for item in expected:
            part = [next(rest) for _ in item.detections]
            rows.append(_row(runtime, item, part, batch, asked))
    return tuple(rows)


def finding_in(runtime: Runtime) -> Find:
    """Asks a runtime that has a detector's file loaded."""

    def find(images: npt.NDArray[np.uint8], batch: int) -> tuple[Detections, ...]:
        return unpack_detections(in_batches(runtime, images, batch))

    return find


def _expected(
    trial: Trial, found: Sequence[Found], asked: DetectionSpecification
) -> ExpectedDetections:
    detections = tuple(each.detections for each in found)
    pasted = [each.pasted for each in found]
    return ExpectedDetections(trial, detections, _masks(detections, pasted, asked))


def _row(
    runtime: str,
    item: ExpectedDetections,
    found: Sequence[Detections],
    batch: int,
    asked: DetectionSpecification,
) -> DetectionRow:
    shape = item.trial.images.shape
    pasted = [paste_masks(each.boxes, each.masks, (shape[1], shape[2])) for each in found]
    masks = _masks(found, pasted, asked)
    labels = [
        label_agreement(name, item.masks[value], masks[value])
        for value, name in asked.label_names.items()
    ]
    name, size = item.trial.name, (shape[0], shape[1], shape[2])
    return DetectionRow(
        runtime,
        name,
        len(found),
        batch,
        match_detections(item.detections, found),
        tuple(
            Row(runtime, name, size, batch, each.label, each.pixels, each.dice) for each in labels
        ),
    )


def _masks(
    detections: Sequence[Detections],
    pasted: Sequence[npt.NDArray[np.bool_]],
    asked: DetectionSpecification,
) -> dict[int, npt.NDArray[np.bool_]]:
    """For each label all its masks together.

    Not one label map: where two labels overlap with nearly one score, rounding would decide.
    """
    return {
        value: np.stack(
            [
                masks[each.labels == value].any(axis=0)
                for each, masks in zip(detections, pasted, strict=True)
            ]
        )
        for value in asked.label_names
    }


def _check_answers(
    runtime: str, found: Sequence[Detections], asked: DetectionSpecification
) -> None:
    strange = {int(value) for each in found for value in each.labels} - set(asked.label_names)
    if strange:
        raise ParityError(f"{runtime}: the answer holds {sorted(strange)}, which are no labels")
    if not all(_finite(each) for each in found):
        raise ParityError(f"{runtime}: the answer holds numbers that are not finite")


def _finite(found: Detections) -> bool:
    return all(np.isfinite(part).all() for part in (found.boxes, found.scores, found.masks))
