"""Changing how crops look: contrast media, bone density, resolution, noise, mixtures.

Everything works on HU and knows the target, so that what is no bone may become as bright as bone
(vessels, kidneys and bowel full of contrast) and bone as faint as osteoporosis makes it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch.nn import functional

from osteoserve_export.training.sampling import Crops
from osteoserve_preprocessing.core import Window


@dataclass(frozen=True, kw_only=True)
class AugmentationOptions:
    """Probabilities for each crop, and how strong a change may be.

    Args:
        contrast: Probability that soft tissue denser than 60 HU is enhanced.
        largest_gain: By what factor at most.
        density: Probability that bone becomes fainter or denser.
        density_gain: (smallest, largest) factor.
        vessels: Probability that bright round or long things appear outside bone.
        vessel_hu: (smallest, largest) brightness.
        plaque: Probability that such a thing has a calcified wall.
        calibration: Probability that HU are scaled and shifted.
        coarse: Probability of pixels and slices as in a study of 2 to 4 mm.
        blur: Probability of a smoother reconstruction kernel.
        sharpen: Probability of a sharper one.
        noise: Probability of quantum noise.
        noise_hu: (smallest, largest) standard deviation.
        streaks: Probability of horizontal streaks, as between shoulders or hips.
        mixup: Probability that a crop is blended with another one (Zhang 2018; Noguchi 2020).
        patch: Probability that a part of another crop is put into it (Takahashi 2018; Noguchi
            2020).
    """

    contrast: float = 0.35
    largest_gain: float = 3.0
    density: float = 0.4
    density_gain: tuple[float, float] = (0.55, 1.3)
    vessels: float = 0.4
    vessel_hu: tuple[float, float] = (130.0, 480.0)
    plaque: float = 0.3
    calibration: float = 0.6
    coarse: float = 0.25
    blur: float = 0.2
    sharpen: float = 0.12
    noise: float = 0.6
    noise_hu: tuple[float, float] = (4.0, 45.0)
    streaks: float = 0.1
    mixup: float = 0.12
    patch: float = 0.12

    def milder(self, strength: float) -> AugmentationOptions:
        """The same changes, those that exaggerate in fewer crops.

        Args:
            strength: What their probabilities are multiplied by.

        Returns:
            The milder options; how strong a change may be stays the same.
        """
        return replace(self, **{name: getattr(self, name) * strength for name in EXAGGERATIONS})


#: Probabilities of changes that go beyond what most studies show. Resolution is none of them:
#: studies of 1 mm and of 3 mm are equally real.
EXAGGERATIONS = (
    "contrast",
    "density",
    "vessels",
    "calibration",
    "noise",
    "streaks",
    "mixup",
    "patch",
)


@dataclass(frozen=True, eq=False)
class Batch:
    """What one training step sees.

    Args:
        grey: (N, 1, S, S) float32, 0..1 in steps of 1/255, as the served network sees it.
        target: (N, R, S, S) float32, 0..1, regions as in ``Crops``; between the two where crops
            were blended.
        known: (N, 1, S, S) float32, 0 where the target must not count.
    """

    grey: torch.Tensor
    target: torch.Tensor
    known: torch.Tensor


def augment(
    crops: Crops, options: AugmentationOptions, window: Window, random: np.random.Generator
) -> Batch:
    """Change how crops look, then apply the window.

    Args:
        crops: In HU.
        options: What may change.
        window: Range of HU that the network sees.
        random: Source of all randomness.

    Returns:
        The batch that the network trains on.
    """
    hounsfield, bone = crops.hounsfield, crops.target[:, -1:]
    near_bone = functional.max_pool2d(bone, 7, stride=1, padding=3)
    hounsfield = _enhance(hounsfield, near_bone, options, random)
    hounsfield = _density(hounsfield, bone, options, random)
    hounsfield = _vessels(hounsfield, near_bone, crops.spacing_mm, options, random)
    hounsfield = _resolution(hounsfield, crops.spacing_mm, options, random)
    hounsfield = _noise(hounsfield, options, random)
    hounsfield = _calibration(hounsfield, options, random)
    mixed = Batch(to_grey(hounsfield, window), crops.target, crops.known)
    return _patch(_mixup(mixed, options, random), options, random)


def to_grey(hounsfield: torch.Tensor, window: Window) -> torch.Tensor:
    """Grey values as the service computes them, on the network's scale.

    Args:
        hounsfield: HU, any shape.
        window: Range of HU.

    Returns:
        Same shape, 0..1 in steps of 1/255.
    """
    share = (hounsfield.round() - window.lower) / (window.upper - window.lower)
    return torch.floor(share.clamp(0.0, 1.0) * 255.0 + 0.5) / 255.0


def _chosen(count: int, probability: float, random: np.random.Generator) -> torch.Tensor:
    """(N, 1, 1, 1) float32, 1 for the crops that are to be changed."""
    return torch.from_numpy(random.random((count, 1, 1, 1)) < probability).float()


def _drawn(count: int, limits: tuple[float, float], random: np.random.Generator) -> torch.Tensor:
    return torch.from_numpy(random.uniform(*limits, (count, 1, 1, 1))).float()


def _enhance(
    hounsfield: torch.Tensor,
    near_bone: torch.Tensor,
    options: AugmentationOptions,
    random: np.random.Generator,
) -> torch.Tensor:
    count = len(hounsfield)
    gain = _drawn(count, (0.0, options.largest_gain - 1.0), random)
    gain = gain * _chosen(count, options.contrast, random) * (1.0 - near_bone)
    return hounsfield + gain * (hounsfield - 60.0).clamp(0.0, 400.0)


def _density(
    hounsfield: torch.Tensor,
    bone: torch.Tensor,
    options: AugmentationOptions,
    random: np.random.Generator,
) -> torch.Tensor:
    count = len(hounsfield)
    change = _drawn(count, options.density_gain, random) - 1.0
    change = change * _chosen(count, options.density, random) * bone
    return hounsfield + change * (hounsfield - 40.0).clamp(min=0.0)


def _vessels(
    hounsfield: torch.Tensor,
    near_bone: torch.Tensor,
    spacing_mm: torch.Tensor,
    options: AugmentationOptions,
    random: np.random.Generator,
) -> torch.Tensor:
    size = hounsfield.shape[-1]
    axis = torch.arange(size, dtype=torch.float32)
    changed = hounsfield.clone()
    for n in np.flatnonzero(random.random(len(hounsfield)) < options.vessels):
        tissue = (hounsfield[n, 0] > -50) & (hounsfield[n, 0] < 250) & (near_bone[n, 0] == 0)
        places = torch.nonzero(tissue)
        for _ in range(int(random.integers(1, 5))):
            if len(places) == 0:
                break
            row, column = places[int(random.integers(len(places)))].tolist()
            radius = float(np.exp(random.uniform(np.log(2.5), np.log(28.0)))) / float(spacing_mm[n])
            angle, longer = random.uniform(0, np.pi), np.exp(abs(random.normal(0.0, 0.5)))
            y, x = axis[:, None] - row, axis[None, :] - column
            u = (x * np.cos(angle) + y * np.sin(angle)) / longer
            v = -x * np.sin(angle) + y * np.cos(angle)
            inside = radius - torch.sqrt(u * u + v * v)
            cover = torch.sigmoid(inside / 0.6) * (1.0 - near_bone[n, 0])
            bright = torch.full_like(cover, random.uniform(*options.vessel_hu))
            if random.random() < options.plaque:
                arc = torch.cos(torch.atan2(y, x) - random.uniform(0, 2 * np.pi)) > 0.3
                bright[arc & (inside < 2.0)] = random.uniform(300.0, 1300.0)
            changed[n, 0] = changed[n, 0] * (1.0 - cover) + bright * cover
    return changed


def _resolution(
    hounsfield: torch.Tensor,
    spacing_mm: torch.Tensor,
    options: AugmentationOptions,
    random: np.random.Generator,
) -> torch.Tensor:
    changed = hounsfield.clone()
    size = hounsfield.shape[-2:]
    for n, draw in enumerate(random.random(len(hounsfield))):
        image = hounsfield[n : n + 1]
        if draw < options.coarse:
            factor = max(1.3, random.uniform(2.0, 4.0) / float(spacing_mm[n]))
            small = tuple(max(8, round(side / factor)) for side in size)
            image = functional.interpolate(image, small, mode="area")
            changed[n] = functional.interpolate(image, size, mode="bilinear")[0]
        elif draw < options.coarse + options.blur:
            changed[n] = _smooth(image, random.uniform(0.4, 1.2))[0]
        elif draw < options.coarse + options.blur + options.sharpen:
            changed[n] = (image + random.uniform(0.3, 1.5) * (image - _smooth(image, 1.0)))[0]
    return changed


def _smooth(image: torch.Tensor, sigma: float) -> torch.Tensor:
    offsets = torch.arange(-3, 4, dtype=torch.float32)
    kernel = torch.exp(-(offsets**2) / (2.0 * sigma**2))
    kernel = kernel / kernel.sum()
    padded = functional.pad(image, (3, 3, 3, 3), mode="replicate")
    across = functional.conv2d(padded, kernel.view(1, 1, 1, 7))
    return functional.conv2d(across, kernel.view(1, 1, 7, 1))


def _noise(
    hounsfield: torch.Tensor, options: AugmentationOptions, random: np.random.Generator
) -> torch.Tensor:
    count, _, height, width = hounsfield.shape
    shape = hounsfield.shape
    white = torch.from_numpy(random.standard_normal(shape, dtype=np.float32))
    # Filtered back-projection leaves noise that is correlated over about two pixels.
    grain = _smooth(white, 0.8) * 2.5
    soft = _chosen(count, 0.6, random)
    noise = grain * soft + white * (1.0 - soft)
    level = _drawn(count, options.noise_hu, random) * _chosen(count, options.noise, random)
    rows = torch.from_numpy(random.standard_normal((count, 1, height, 1), dtype=np.float32))
    streaks = rows * _smooth(white, 1.2).mean(dim=2, keepdim=True).sign()
    strength = _drawn(count, (5.0, 30.0), random) * _chosen(count, options.streaks, random)
    return hounsfield + level * noise + strength * streaks.expand(-1, -1, -1, width)


def _calibration(
    hounsfield: torch.Tensor, options: AugmentationOptions, random: np.random.Generator
) -> torch.Tensor:
    count = len(hounsfield)
    chosen = _chosen(count, options.calibration, random)
    scale = 1.0 + chosen * _drawn(count, (-0.12, 0.12), random)
    shift = chosen * _drawn(count, (-20.0, 20.0), random)
    return hounsfield * scale + shift


def _mixup(batch: Batch, options: AugmentationOptions, random: np.random.Generator) -> Batch:
    count = len(batch.grey)
    share = torch.from_numpy(random.beta(0.4, 0.4, (count, 1, 1, 1))).float()
    share = 1.0 - (1.0 - share) * _chosen(count, options.mixup, random)
    other = torch.from_numpy(random.permutation(count))
    grey = share * batch.grey + (1.0 - share) * batch.grey[other]
    target = share * batch.target + (1.0 - share) * batch.target[other]
    known = torch.where(share < 1.0, batch.known * batch.known[other], batch.known)
    return Batch(torch.floor(grey * 255.0 + 0.5) / 255.0, target, known)


def _patch(batch: Batch, options: AugmentationOptions, random: np.random.Generator) -> Batch:
    grey, target, known = batch.grey.clone(), batch.target.clone(), batch.known.clone()
    size = grey.shape[-1]
    for n in np.flatnonzero(random.random(len(grey)) < options.patch):
        other = int(random.integers(len(grey)))
        height, width = random.integers(size // 4, 3 * size // 4, 2)
        top, left = int(random.integers(size - height)), int(random.integers(size - width))
        place = (slice(None), slice(top, top + int(height)), slice(left, left + int(width)))
        for changed, source in ((grey, batch.grey), (target, batch.target), (known, batch.known)):
            changed[n][place] = source[other][place]
    return Batch(grey, target, known)
