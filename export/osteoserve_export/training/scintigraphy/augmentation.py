"""Views drawn anew for each step: turned, scaled, moved, mirrored, brighter or darker, or missing.

Yu 2023, section 2.4, turns by up to 3 degrees, scales by 0.9 to 1.1 and brightens by 0.8 to 1.7.
The ranges here go a little further, for a network that learns from drawn patients only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from osteoserve_export.training.scintigraphy.pairs import REGIONS, VIEWS, ScintigraphyPair
from osteoserve_preprocessing.core.scintigram import compose_views

#: Fewer pixels than this are no instance: what was left of a region at the edge of the image.
LEAST_PIXELS: Final = 40

#: Label of the other side, for a view that is mirrored.
MIRRORED: Final = {
    REGIONS.index(name) + 1: REGIONS.index(
        name.replace("right", "?").replace("left", "right").replace("?", "left")
    )
    + 1
    for name in REGIONS
}


@dataclass(frozen=True, kw_only=True)
class ViewAugmentation:
    """How views are varied.

    Args:
        rotation_deg: Largest turn either way.
        scale: Smallest and largest.
        stretch: Largest relative difference of width and height.
        shift: Largest shift down or up and to the sides, pixels.
        brightness: Least and greatest factor of grey.
        mirrored: Probability that the patient is mirrored, sides with them.
        one_view: Probability that one view is missing.
        smoothed: Probability that counts are averaged over neighbouring pixels, as many
            workstations do before they export.
    """

    rotation_deg: float = 5.0
    scale: tuple[float, float] = (0.88, 1.14)
    stretch: float = 0.05
    shift: tuple[float, float] = (40.0, 10.0)
    brightness: tuple[float, float] = (0.6, 2.0)
    mirrored: float = 0.5
    one_view: float = 0.25
    smoothed: float = 0.3


@dataclass(frozen=True, eq=False)
class Sample:
    """One image to learn from.

    Args:
        image: (1, 950, 512) float32, grey 0..1.
        boxes: (K, 4) float32, x1, y1, x2, y2; edges of the pixels that the instance covers.
        labels: (K,) int64, 1 to 10.
        masks: (K, 950, 512) uint8, 0 or 1.
    """

    image: torch.Tensor
    boxes: torch.Tensor
    labels: torch.Tensor
    masks: torch.Tensor


def draw_sample(
    pair: ScintigraphyPair, options: ViewAugmentation, random: np.random.Generator
) -> Sample:
    """Vary a pair and put its views side by side.

    Args:
        pair: The bone scan.
        options: How it may vary.
        random: Source of all randomness.
    """
    mirror = random.random() < options.mirrored
    missing = VIEWS[random.integers(2)] if random.random() < options.one_view else None
    smooth = random.random() < options.smoothed
    common = _Change.draw(options, random)
    counts, instances = {}, {}
    for view in VIEWS:
        change = common.nearly_again(random)
        counts[view], instances[view] = _changed(pair, view, change, mirror=mirror, smooth=smooth)
    low, high = np.log(options.brightness)
    seen = {view: counts[view] for view in VIEWS if view != missing and counts[view].any()}
    composed = compose_views(
        seen.get("anterior"),
        seen.get("posterior"),
        brightness=float(np.exp(random.uniform(low, high))),
    )
    labels, masks = [], []
    for view in seen:
        # The same cut as that of the counts, without a second rule for where it lies.
        for number, label in enumerate(pair.labels[view], start=1):
            mask = composed.cut(instances[view] == number, view)
            if mask.sum() >= LEAST_PIXELS:
                masks.append(mask)
                labels.append(MIRRORED[label] if mirror else label)
    stacked = np.stack(masks) if masks else np.zeros((0, *composed.image.shape), dtype=np.bool_)
    return Sample(
        torch.from_numpy(composed.image.astype(np.float32) / np.float32(255))[None],
        torch.from_numpy(np.array([_box(mask) for mask in masks], np.float32).reshape(-1, 4)),
        torch.tensor(labels, dtype=torch.int64),
        torch.from_numpy(stacked.astype(np.uint8)),
    )


@dataclass(frozen=True)
class _Change:
    """An affine change about the middle of a view."""

    angle_deg: float
    scale_y: float
    scale_x: float
    down: float
    aside: float

    @classmethod
    def draw(cls, options: ViewAugmentation, random: np.random.Generator) -> _Change:
        scale = math.exp(random.uniform(*np.log(options.scale)))
        stretch = math.exp(random.uniform(-options.stretch, options.stretch) / 2)
        down, aside = options.shift
        return cls(
            random.uniform(-options.rotation_deg, options.rotation_deg),
            scale * stretch,
            scale / stretch,
            random.uniform(-down, down),
            random.uniform(-aside, aside),
        )

    def nearly_again(self, random: np.random.Generator) -> _Change:
        """The other detector sees the same patient, not quite from opposite."""
        return _Change(
            self.angle_deg * float(random.choice([-1.0, 1.0])),
            self.scale_y,
            self.scale_x,
            self.down + random.uniform(-2, 2),
            random.choice([-1.0, 1.0]) * self.aside,
        )

    def grid(self, shape: Sequence[int], *, mirror: bool) -> torch.Tensor:
        """(1, Y, X, 2) float32 where each pixel is taken from, for ``grid_sample``."""
        height, width = shape
        cosine, sine = (f(math.radians(self.angle_deg)) for f in (math.cos, math.sin))
        side = -1.0 if mirror else 1.0
        # grid_sample's axes run from -1 to 1, so turning must allow for unequal sides.
        theta = torch.tensor(
            [
                [
                    side * cosine / self.scale_x,
                    side * -sine * height / width / self.scale_x,
                    2 * self.aside / width,
                ],
                [
                    sine * width / height / self.scale_y,
                    cosine / self.scale_y,
                    2 * self.down / height,
                ],
            ],
            dtype=torch.float32,
        )
        return functional.affine_grid(theta[None], [1, 1, height, width], align_corners=False)


def _changed(
    pair: ScintigraphyPair, view: str, change: _Change, *, mirror: bool, smooth: bool
) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint8]]:
    counts = torch.from_numpy(pair.counts[view].astype(np.float32))[None, None]
    if smooth:
        counts = functional.avg_pool2d(counts, 3, 1, 1)
    owners = torch.from_numpy(pair.instances[view].astype(np.float32))[None, None]
    grid = change.grid(pair.counts[view].shape, mirror=mirror)
    moved = functional.grid_sample(counts, grid, align_corners=False)[0, 0]
    owned = functional.grid_sample(owners, grid, mode="nearest", align_corners=False)[0, 0]
    return moved.round().numpy().astype(np.uint16), owned.numpy().astype(np.uint8)


def _box(mask: npt.NDArray[np.bool_]) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
