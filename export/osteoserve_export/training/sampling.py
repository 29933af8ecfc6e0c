"""Cutting crops out of volumes: scale, rotation, tilt, shear, flips and soft deformation."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from torch.nn import functional

from osteoserve_export.training.classes import regions
from osteoserve_export.training.pairs import BONE, IGNORED, TrainingPair
from osteoserve_preprocessing.core import Window

#: Slices further apart than this are not tilted or interpolated: the result is no CT slice.
THICKEST_TILTED_MM = 3.5

#: How far below the window HU are kept, and up to where; the window is applied after the
#: augmentation.
BELOW_WINDOW_HU, HIGHEST_HU = 300, 1600

#: What is known of a voxel, as bits of one byte; those above are the regions that it lies in.
KNOWN_BIT, FIRST_REGION_BIT = 1, 2


@dataclass(frozen=True, kw_only=True)
class CropOptions:
    """How crops are cut; probabilities and ranges.

    Args:
        size: Height and width, pixels.
        spacing_mm: (smallest, largest) pixel spacing of a crop.
        stretch: Largest relative difference between the two axes.
        shear: Largest shear, pixels a pixel.
        rotation_deg: Standard deviation of the rotation in the plane.
        any_rotation: Probability of a rotation by any angle.
        tilt_deg: Largest tilt out of the plane about either axis.
        left_right: Probability of a mirror image.
        prone: Probability of an upside-down image.
        deformation_mm: Largest soft deformation; zero in half of the crops.
        around_bone: Probability that a crop is centred on bone.
        around_dense: Probability that it is centred on something dense that is no bone.
    """

    size: int = 192
    spacing_mm: tuple[float, float] = (0.68, 1.4)
    stretch: float = 0.12
    shear: float = 0.1
    rotation_deg: float = 12.0
    any_rotation: float = 0.08
    tilt_deg: float = 12.0
    left_right: float = 0.5
    prone: float = 0.15
    deformation_mm: float = 5.0
    around_bone: float = 0.5
    around_dense: float = 0.25

    def milder(self, strength: float) -> CropOptions:
        """The same with smaller ranges and rarer exceptions.

        Args:
            strength: 1 changes nothing, 0 leaves upright crops of one pixel spacing.

        Returns:
            The milder options; where crops are centred stays the same.
        """
        middle = math.sqrt(self.spacing_mm[0] * self.spacing_mm[1])
        low, high = (middle * (limit / middle) ** strength for limit in self.spacing_mm)
        scaled = (
            "stretch",
            "shear",
            "rotation_deg",
            "any_rotation",
            "tilt_deg",
            "prone",
            "deformation_mm",
        )
        changes = {name: getattr(self, name) * strength for name in scaled}
        return replace(self, spacing_mm=(low, high), **changes)


@dataclass(frozen=True, eq=False)
class Crops:
    """A batch of crops.

    Args:
        hounsfield: (N, 1, S, S) float32, HU.
        target: (N, R, S, S) float32, 1 inside of a region, 0 outside; each region lies inside the
            one before, the last is bone.
        known: (N, 1, S, S) float32, 0 where the target is unknown or outside the study.
        spacing_mm: (N,) float32, pixel spacing.
    """

    hounsfield: torch.Tensor
    target: torch.Tensor
    known: torch.Tensor
    spacing_mm: torch.Tensor


class CropSource:
    """One study, ready to be cut into crops.

    The scanner table stays in: a network that knows tables forgives a stretcher removal that was
    unsure and removed nothing.

    Args:
        pair: The study and its labels.
        share: Share of the crops that come from it, relative to other sources.
        classes: What is told apart, see ``regions``. What is unknown to be bone is unknown
            altogether: mostly it lies beside bone, and where it does not, it is little.
        window: Range of HU that the network sees.
    """

    def __init__(
        self,
        pair: TrainingPair,
        share: float,
        *,
        classes: Sequence[str] = ("bone",),
        window: Window | None = None,
    ) -> None:
        self.name = pair.name
        self.share = share
        self.spacing = pair.volume.geometry.spacing
        self._floor = (window or Window()).lower
        voxels = np.clip(pair.volume.voxels, self._floor - BELOW_WINDOW_HU, HIGHEST_HU)
        self._hounsfield = voxels
        self._bits = (KNOWN_BIT * (pair.target != IGNORED)).astype(np.uint8)
        self._region_bits = [FIRST_REGION_BIT << n for n in range(len(classes))]
        for bit, region in zip(self._region_bits, regions(pair, classes), strict=True):
            self._bits[region] |= bit
        self._bone = np.flatnonzero(pair.target == BONE)
        self._dense = np.flatnonzero((pair.target == 0) & (voxels > 130) & _amid_tissue(pair))
        self._body = np.flatnonzero(voxels > -200)

    def with_share(self, share: float) -> CropSource:
        """The same study with another share.

        Args:
            share: Above 0.

        Returns:
            A source that uses the same arrays.
        """
        source = copy.copy(self)
        source.share = share
        return source

    def crop(self, options: CropOptions, random: np.random.Generator) -> Crops:
        """Cut one crop at a random place.

        Args:
            options: How to cut.
            random: Source of all randomness.

        Returns:
            A batch of one.
        """
        points = self._points(options, random)
        hounsfield, known, inside = self._interpolate(points).split((1, 1, len(self._region_bits)))
        return Crops(
            hounsfield[None],
            (inside >= 0.5).float()[None],
            (known > 0.9).float()[None],
            torch.tensor([self._spacing_mm], dtype=torch.float32),
        )

    def _interpolate(self, points: npt.NDArray[np.float64]) -> torch.Tensor:
        """(2 + R, S, S) HU, known and regions at index coordinates (column, row, slice).

        Outside of the study they are the window's lower limit, as the service pads, and 0.
        """
        # Only the part that the crop needs becomes float32.
        flat = points.reshape(-1, 3)[:, ::-1]
        shape = np.array(self._hounsfield.shape)
        first = np.clip(np.floor(flat.min(axis=0)).astype(int) - 1, 0, shape - 1)
        last = np.clip(np.ceil(flat.max(axis=0)).astype(int) + 2, first + 1, shape)
        part = tuple(slice(a, b) for a, b in zip(first, last, strict=True))
        hounsfield, bits = (
            torch.from_numpy(self._hounsfield[part]),
            torch.from_numpy(self._bits[part]),
        )
        masks = [(bits & bit) > 0 for bit in (KNOWN_BIT, *self._region_bits)]
        above = hounsfield.float() - self._floor
        channels = torch.stack([above, *(mask.float() for mask in masks)])
        # grid_sample wants -1..1 over the outer edges of the part.
        grid = (points - first[::-1] + 0.5) * (2.0 / (last - first)[::-1]) - 1.0
        grid = torch.from_numpy(grid.astype(np.float32))[None, None]
        sampled = functional.grid_sample(channels[None], grid, align_corners=False)[0, :, 0]
        sampled[0] += self._floor
        return sampled

    def _points(self, options: CropOptions, random: np.random.Generator) -> npt.NDArray[np.float64]:
        """(S, S, 3) index coordinates (column, row, slice) of a crop's pixels."""
        self._spacing_mm = float(np.exp(random.uniform(*np.log(options.spacing_mm))))
        plane = (np.arange(options.size) - (options.size - 1) / 2) * self._spacing_mm
        x, y = np.meshgrid(plane, plane)
        x, y = x + self._deformation(options, random), y + self._deformation(options, random)
        millimetres = np.stack([x, y, np.zeros_like(x)], axis=-1) @ self._turn(options, random).T
        k, j, i = self._centre(options, random)
        z_mm, y_mm, x_mm = self.spacing
        points: npt.NDArray[np.float64] = millimetres / (x_mm, y_mm, z_mm) + (i, j, k)
        if self.spacing[0] > THICKEST_TILTED_MM or self._hounsfield.shape[0] == 1:
            points[..., 2] = k
        return points

    def _centre(
        self, options: CropOptions, random: np.random.Generator
    ) -> tuple[float, float, float]:
        draw = random.random()
        candidates = self._body
        if draw < options.around_bone and len(self._bone):
            candidates = self._bone
        elif draw < options.around_bone + options.around_dense and len(self._dense):
            candidates = self._dense
        shape = self._hounsfield.shape
        k, j, i = np.unravel_index(candidates[random.integers(len(candidates))], shape)
        # What the crop is about should not always lie in its middle.
        reach = options.size * self._spacing_mm / 4
        j_off, i_off = random.uniform(-reach, reach, 2)
        between = random.uniform(-0.5, 0.5) if self.spacing[0] <= THICKEST_TILTED_MM else 0.0
        depth = float(np.clip(k + between, 0, shape[0] - 1))
        return depth, j + j_off / self.spacing[1], i + i_off / self.spacing[2]

    def _turn(self, options: CropOptions, random: np.random.Generator) -> npt.NDArray[np.float64]:
        angle = math.radians(random.normal(0.0, options.rotation_deg))
        if random.random() < options.any_rotation:
            angle = random.uniform(-math.pi, math.pi)
        about_x, about_y = np.radians(random.uniform(-options.tilt_deg, options.tilt_deg, 2))
        shape = np.eye(3)
        shape[0, 1] = random.uniform(-options.shear, options.shear)
        shape[0, 0] = np.exp(random.uniform(-options.stretch, options.stretch))
        mirror = np.diag(
            [
                -1.0 if random.random() < options.left_right else 1.0,
                -1.0 if random.random() < options.prone else 1.0,
                1.0,
            ]
        )
        turned: npt.NDArray[np.float64] = (
            _rotation(1, about_y) @ _rotation(0, about_x) @ _rotation(2, angle) @ shape @ mirror
        )
        return turned

    @staticmethod
    def _deformation(
        options: CropOptions, random: np.random.Generator
    ) -> npt.NDArray[np.float32] | float:
        """(S, S) displacement along one axis, mm; smooth over a quarter of the crop."""
        strength = random.uniform(0.0, options.deformation_mm)
        if random.random() < 0.5:
            return 0.0
        coarse = torch.from_numpy(random.uniform(-strength, strength, (1, 1, 5, 5)))
        size = (options.size, options.size)
        smooth = functional.interpolate(coarse, size, mode="bicubic", align_corners=True)
        return np.asarray(smooth[0, 0].numpy(), dtype=np.float32)


def draw_crops(
    sources: Sequence[CropSource], count: int, options: CropOptions, random: np.random.Generator
) -> Crops:
    """Cut a batch, each crop from a source drawn by its share.

    Args:
        sources: Where to cut.
        count: N.
        options: How to cut.
        random: Source of all randomness.

    Returns:
        N crops.
    """
    shares = np.array([source.share for source in sources])
    drawn = random.choice(len(sources), size=count, p=shares / shares.sum())
    crops = [sources[n].crop(options, random) for n in drawn]
    return Crops(
        torch.cat([crop.hounsfield for crop in crops]),
        torch.cat([crop.target for crop in crops]),
        torch.cat([crop.known for crop in crops]),
        torch.cat([crop.spacing_mm for crop in crops]),
    )


def _amid_tissue(pair: TrainingPair) -> npt.NDArray[np.bool_]:
    """(Z, Y, X) bool: nearly all of the 15 mm around is tissue, so it is no table and no skin."""
    _, y, x = pair.volume.geometry.spacing
    tissue = (pair.volume.voxels > -200).astype(np.float32)
    around = ndimage.uniform_filter(tissue, size=(1, round(15 / y), round(15 / x)))
    return np.asarray(around > 0.9)


def _rotation(axis: int, angle: float) -> npt.NDArray[np.float64]:
    a, b = [n for n in range(3) if n != axis]
    matrix = np.eye(3)
    matrix[[a, b], [a, b]] = math.cos(angle)
    matrix[a, b], matrix[b, a] = -math.sin(angle), math.sin(angle)
    return matrix
