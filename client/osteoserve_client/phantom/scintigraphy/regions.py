"""The ten regions of Yu 2023 (section 2.2) in both views: one mask for each bone or pair member.

A mask is the whole outline of a region, so masks overlap where one bone lies behind another.
`label_map` says which region a reader would give each pixel to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from osteoserve_client.phantom.scintigraphy.camera import ANTERIOR, Camera, Posed
from osteoserve_client.phantom.scintigraphy.cloud import Array, Cloud, Part
from osteoserve_client.phantom.scintigraphy.outlines import (
    Mask,
    between_edges,
    drawn_around,
    smooth,
)
from osteoserve_client.phantom.thorax import CAGE

#: Names in the order of the paper's tables; a region's label is its place, counted from 1.
REGIONS = (
    "skull",
    "spine",
    "chest",
    "anterior_right_humerus",
    "anterior_left_humerus",
    "posterior_right_humerus",
    "posterior_left_humerus",
    "pelvis",
    "femurs",
    "kidney",
)
#: Fewer pixels than this at the edge of the field are no region.
LEAST_PIXELS = 40
#: A kidney is a region of a view where it gives at least this share of the counts.
KIDNEY_SHARE = 0.3
#: Who wins a pixel that several masks hold, the last one.
_PRECEDENCE = ("chest", "spine", "pelvis", "humerus", "femurs", "skull", "kidney")


@dataclass(frozen=True, eq=False)
class Region:
    """One region in one view.

    Args:
        name: One of `REGIONS`.
        view: "anterior" or "posterior".
        side: The patient's "left" or "right"; "" in the middle.
        mask: (Y, X) bool, its whole outline, whatever lies before it.
    """

    name: str
    view: str
    side: str
    mask: Mask

    @property
    def label(self) -> int:
        """1 to 10."""
        return REGIONS.index(self.name) + 1


@dataclass(frozen=True, eq=False)
class Placed:
    """A cloud and where its points came to lie."""

    cloud: Cloud
    posed: Posed


def regions_of(placed: Sequence[Placed], camera: Camera, view: str) -> tuple[Region, ...]:
    """Every region of a view but the kidneys, as far as the detector saw it.

    Args:
        placed: The skeleton.
        camera: Where the points fall.
        view: "anterior" or "posterior".
    """
    seen = camera.sees()

    def outline(part: Part, side: str = "", bridge: int = 3) -> Mask:
        chosen = [p for p in placed if p.cloud.part is part and p.cloud.side == side]
        rows, columns = _pixels(chosen, camera, view)
        return drawn_around(rows, columns, camera.shape, bridge=bridge, filled=not side)

    masks = [
        ("skull", "", outline(Part.SKULL, bridge=5)),
        ("spine", "", _spine(placed, camera, view)),
        ("chest", "", _chest(placed, camera, view)),
        ("pelvis", "", outline(Part.PELVIS, bridge=4)),
    ]
    for side in ("right", "left"):
        masks.append((f"{view}_{side}_humerus", side, outline(Part.HUMERUS, side)))
        masks.append(("femurs", side, outline(Part.FEMUR, side)))
    found = [Region(name, view, side, mask & seen) for name, side, mask in masks]
    return tuple(sorted((r for r in found if r.mask.sum() >= LEAST_PIXELS), key=lambda r: r.label))


def kidneys_of(
    placed: Sequence[Placed], camera: Camera, view: str, whole: npt.NDArray[np.float64]
) -> tuple[Region, ...]:
    """The kidneys that can be seen in a view.

    Args:
        placed: The kidneys.
        camera: What sees them.
        view: "anterior" or "posterior".
        whole: (Y, X) expected counts of the whole body, in units of activity.
    """
    seen, found = camera.sees(), []
    for kidney in placed:
        rows, columns = _pixels([kidney], camera, view)
        mask = drawn_around(rows, columns, camera.shape, filled=False) & seen
        own = camera.project([kidney.posed], view)
        if mask.sum() >= LEAST_PIXELS and own[mask].sum() >= KIDNEY_SHARE * whole[mask].sum():
            found.append(Region("kidney", view, kidney.cloud.side, mask))
    return tuple(found)


def label_map(regions: Sequence[Region], sternum: Mask) -> npt.NDArray[np.uint8]:
    """(Y, X) uint8, 0 background, else the label of the region that a reader would name.

    Spine and pelvis stand out from the chest, femoral heads from the pelvis, kidneys from all.
    Only where the sternum lies before the spine does the chest keep the pixel: the anterior view
    shows the sternum there.

    Args:
        regions: Of one view.
        sternum: (Y, X) where the sternum lies before the spine.
    """
    labels = np.zeros(sternum.shape, dtype=np.uint8)
    for name in _PRECEDENCE:
        for region in regions:
            if region.name.endswith(name):
                mask = region.mask & ~sternum if name == "spine" else region.mask
                labels[mask] = region.label
    return labels


def sternum_before_spine(placed: Sequence[Placed], camera: Camera, view: str) -> Mask:
    """(Y, X) the band that the sternum covers; nothing in the posterior view."""
    band = np.zeros(camera.shape, dtype=np.bool_)
    if view == ANTERIOR:
        rows, _ = _pixels([p for p in placed if p.cloud.part is Part.STERNUM], camera, view)
        # A band of rows: slivers of vertebrae beside the sternum are no region of their own.
        band[max(0, round(float(rows.min()))) : max(0, round(float(rows.max()))) + 1] = True
    return band


def hot_pixels(spots: npt.NDArray[np.float64], whole: npt.NDArray[np.float64], seen: Mask) -> Mask:
    """(Y, X) where metastases add half or more to what would be there without them.

    Args:
        spots: (Y, X) expected counts of the metastases alone.
        whole: (Y, X) expected counts of everything.
        seen: (Y, X) where the detector passed.
    """
    hot: Mask = (spots >= 0.5 * (whole - spots)) & (spots > 0.02 * spots.max()) & seen
    return hot


def _pixels(chosen: Sequence[Placed], camera: Camera, view: str) -> tuple[Array, Array]:
    points = np.concatenate([p.posed.points for p in chosen] or [np.empty((0, 3))])
    return camera.pixels(points, view)


def _spine(placed: Sequence[Placed], camera: Camera, view: str) -> Mask:
    """The column of bodies and facets, without the tips of the transverse processes."""
    rows, columns = [np.empty(0)], [np.empty(0)]
    for p in placed:
        if p.cloud.part is Part.SPINE:
            height = p.cloud.points[:, 2]
            half = np.interp(height, [1000, 1160, 1400, 1600], [28, 24, 20, 19])
            near = np.abs(p.cloud.points[:, 0]) <= half
            row, column = camera.pixels(p.posed.points[near], view)
            rows.append(row)
            columns.append(column)
    return drawn_around(
        np.concatenate(rows), np.concatenate(columns), camera.shape, bridge=5, filled=False
    )


def _chest(placed: Sequence[Placed], camera: Camera, view: str) -> Mask:
    """The rib cage as this view shows it, filled, with clavicles and scapulae."""
    front = view == ANTERIOR
    rows, columns = [], []
    for p in placed:
        if p.cloud.part in (Part.RIBS, Part.CARTILAGE, Part.STERNUM):
            facing = _faces(p.cloud.points, front=front)
            row, column = camera.pixels(p.posed.points[facing], view)
            rows.append(row)
            columns.append(column)
    cage = between_edges(np.concatenate(rows), np.concatenate(columns), camera.shape)
    girdle = [p for p in placed if p.cloud.part is Part.GIRDLE]
    blades = drawn_around(*_pixels(girdle, camera, view), camera.shape, filled=False)
    return smooth(cage | blades)


def _faces(points: Array, *, front: bool) -> npt.NDArray[np.bool_]:
    """Which points of the rib cage lie in the half towards the detector, or at its side."""
    heights = np.arange(1100.0, 1451.0, 10.0)
    middles = np.array([CAGE(float(h))[2] for h in heights])
    behind = points[:, 1] - np.interp(points[:, 2], heights, middles)
    return behind < 18 if front else behind > -18
