"""From detections in the composed image to regions of each view, on exactly the view's grid.

Yu 2023, section 2.2: ten regions, of which the humeri are told apart by side and view. What a name
says of itself is held against where the detection lies; a detection that contradicts its name is no
region, and is told of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from osteoserve_preprocessing.core.mask_paste import paste_masks
from osteoserve_preprocessing.core.scintigram import HALVES, IMAGE_SIZE, VIEW_COLUMNS, ComposedViews

SIDES: Final = ("right", "left")

#: Bones that a name without a side stands for twice.
PAIRED: Final = ("femurs", "femur", "kidney", "kidneys", "humerus", "humeri")

#: In the middle of the body: their columns tell where right ends and left begins.
MIDDLE: Final = ("skull", "spine", "chest", "pelvis")

Mask = npt.NDArray[np.bool_]
Box = tuple[float, float, float, float]


class RegionName(NamedTuple):
    """What the name of a label says: "anterior_right_humerus" is a right humerus in one view."""

    bone: str
    view: str
    side: str

    @classmethod
    def of(cls, name: str) -> RegionName:
        """Take a name apart; what it does not say is ""."""
        words = name.lower().replace(" ", "_").split("_")
        view = next((word for word in words if word in HALVES), "")
        side = next((word for word in words if word in SIDES), "")
        bone = "_".join(word for word in words if word not in (view, side))
        return cls(bone, view, side)

    @property
    def paired(self) -> bool:
        """Whether a patient has it on both sides."""
        return bool(self.side) or self.bone in PAIRED


@dataclass(frozen=True, eq=False, kw_only=True)
class Region:
    """One bone, or one of a pair, in one view.

    Args:
        label: Of the model.
        name: Its name.
        view: "anterior" or "posterior".
        side: The patient's "left" or "right"; "" in the middle, and where nothing shows the middle.
        score: 0..1.
        box: Left, top, right, bottom edge, pixels of the view.
        mask: (Y, X) bool, all that was found, on the grid of the view.
    """

    label: int
    name: str
    view: str
    side: str
    score: float
    box: Box
    mask: Mask


@dataclass(frozen=True, eq=False)
class FoundRegions:
    """What was found in a scan.

    Args:
        regions: The surest first.
        warnings: What was left out and why, one line each.
    """

    regions: tuple[Region, ...]
    warnings: tuple[str, ...]


def find_regions(
    *,
    boxes: npt.NDArray[np.float32],
    labels: npt.NDArray[np.integer[Any]],
    scores: npt.NDArray[np.float32],
    masks: npt.NDArray[np.float32],
    names: Mapping[int, str],
    composed: ComposedViews,
    views: Sequence[str],
    shape: tuple[int, int],
    least_score: float,
) -> FoundRegions:
    """Bring detections onto the views that they lie in, and hold them against their names.

    Args:
        boxes: (K, 4) float32, x1, y1, x2, y2 in pixels of the composed image.
        labels: (K,) integer.
        scores: (K,) float32, 0..1.
        masks: (K, M, M) float32, probability in the cells of each box.
        names: Of the labels.
        composed: The image that they were found in.
        views: Those that the scan has.
        shape: (Y, X) of each view.
        least_score: Detections of a lower score are no regions.
    """
    order = [k for k in np.argsort(-scores, kind="stable") if scores[k] >= least_score]
    pasted = paste_masks(boxes[order], masks[order], IMAGE_SIZE)
    found: list[Region] = []
    warnings: list[str] = []
    for k, mask in zip(order, pasted, strict=True):
        name, score = names[int(labels[k])], float(scores[k])
        view = _view(mask)
        own = composed.back(mask, view, shape) if view in views else np.zeros(shape, np.bool_)
        if not own.any():
            warnings.append(
                f"{name} (score {score:.2f}) was found where there is no view: left out"
            )
            continue
        found.append(
            Region(
                label=int(labels[k]),
                name=name,
                view=view,
                side="",  # told when the middle of the body is known
                score=score,
                box=_box(boxes[k], composed, view),
                mask=own,
            )
        )
    return _held_against_names(found, warnings)


def _view(mask: Mask) -> str:
    """The view that holds most of a mask."""
    half = {view: mask[:, first : first + VIEW_COLUMNS].sum() for view, first in HALVES.items()}
    return max(half, key=lambda view: half[view])


def _box(box: npt.NDArray[np.float32], composed: ComposedViews, view: str) -> Box:
    left = composed.first_column - HALVES[view]
    x1, y1, x2, y2 = (float(edge) for edge in box)
    return x1 + left, y1 + composed.first_row, x2 + left, y2 + composed.first_row


def _held_against_names(found: Sequence[Region], warnings: list[str]) -> FoundRegions:
    """Give sides to what is paired, and leave out what lies elsewhere than its name says."""
    middles = {view: _middle([r for r in found if r.view == view]) for view in HALVES}
    regions = []
    for region in found:
        said = RegionName.of(region.name)
        side = side_of(region.mask, region.view, middles[region.view]) if said.paired else ""
        wrong = [
            f"in the {region.view} view" if said.view and said.view != region.view else "",
            f"on the patient's {side}" if said.side and side and said.side != side else "",
        ]
        if any(wrong):
            where = " and ".join(part for part in wrong if part)
            warnings.append(f"{region.name} (score {region.score:.2f}) was found {where}: left out")
            continue
        regions.append(replace(region, side=side or said.side))
    return FoundRegions(tuple(regions), tuple(warnings))


def _middle(regions: Sequence[Region]) -> float | None:
    """Column between right and left: the mean of what lies in the middle of the body."""
    columns = [_column(r.mask) for r in regions if RegionName.of(r.name).bone in MIDDLE]
    return float(np.mean(columns)) if columns else None


def side_of(mask: Mask, view: str, middle: float | None) -> str:
    """The patient's side on which a mask lies; "" where the middle is not known.

    Args:
        mask: (Y, X) bool, canonical: the patient's right is at small columns in an anterior view,
            at large ones in a posterior view.
        view: "anterior" or "posterior".
        middle: Column between right and left.
    """
    if middle is None:
        return ""
    before = _column(mask) < middle
    return SIDES[0] if before == (view == "anterior") else SIDES[1]


def _column(mask: Mask) -> float:
    return float(np.nonzero(mask)[1].mean())
