"""What an export is asked for, as frozen values: what all exports share, and each task's own."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from osteoserve_export.errors import SpecificationError
from osteoserve_preprocessing.core import Normalisation, Window
from osteoserve_preprocessing.core.scintigram import IMAGE_SIZE
from osteoserve_preprocessing.inference.labels import Label

Activation = Literal["threshold", "argmax"]
Precision = Literal["fp32", "fp16", "int8"]
Format = Literal["onnx", "tensorrt"]

#: What the shipped CT networks were trained on, and what an export states unless told otherwise:
#: pixel spacing, and the least and largest that are taken without resampling, mm.
PIXEL_SPACING_MM: Final = 0.9766
PIXEL_SPACING_RANGE_MM: Final = (0.6, 1.3)

#: Least Dice between the exported file's masks and the network's, per study and per label.
LEAST_DICE: Final[Mapping[str, float]] = {"fp32": 0.999, "fp16": 0.995, "int8": 0.995}

#: Largest difference of a logit, relative to the largest logit of the study (fp32 only).
LOGIT_TOLERANCE: Final = 1e-3

#: Least share of the detections in a study that must be the network's own, and the largest
#: difference of the score of one.
MATCH_RATE: Final = 0.99
SCORE_TOLERANCE: Final = 0.02

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")

#: Whether something is right, and what is wrong otherwise.
Demand = tuple[object, str]


@dataclass(frozen=True, kw_only=True)
class ExportSpecification:
    """What every export states.

    Args:
        architecture: A registered architecture, or ``package.module:factory``.
        name: Of the model in the repository.
        labels: What the output values mean, in the order of the classes.
        version: Version directory, a positive integer.
        options: Of the architecture; what the weights tell need not be stated.
        formats: Files to write; ``onnx`` always, ``tensorrt`` on a machine with an NVIDIA GPU.
        precision: Arithmetic of the file.
        max_batch: Most images in one request.
        least_dice: Agreement that is required; None: 0.999 for fp32, 0.995 otherwise. Another value
            stands in the report.

    Raises:
        SpecificationError: A value is impossible; the message names it.
    """

    architecture: str
    name: str
    labels: tuple[Label, ...]
    version: int = 1
    options: Mapping[str, Any] = field(default_factory=dict)
    formats: tuple[Format, ...] = ("onnx",)
    precision: Precision = "fp32"
    max_batch: int = 32
    least_dice: float | None = None

    def __post_init__(self) -> None:
        for right, message in self._demands():
            if not right:
                raise SpecificationError(message)

    @property
    def required_dice(self) -> float:
        """Dice that the proof must reach."""
        if self.least_dice is not None:
            return self.least_dice
        return LEAST_DICE.get(self.precision, 1.0)

    @property
    def label_names(self) -> dict[int, str]:
        """Names by value, background left out."""
        return {label.value: label.name for label in self.labels}

    def _demands(self) -> Iterator[Demand]:
        values = [label.value for label in self.labels]
        yield _NAME.fullmatch(self.name), f"name {self.name!r} is no folder name of a model"
        yield self.version >= 1, f"version must be 1 or more, not {self.version}"
        yield values, "labels are missing"
        yield (
            values == list(range(1, len(values) + 1)),
            f"labels must be 1, 2, ... in the order of the classes, not {values}",
        )
        yield (
            self.precision in LEAST_DICE,
            f"precision must be one of {', '.join(LEAST_DICE)}",
        )
        yield (
            "onnx" in self.formats and set(self.formats) <= {"onnx", "tensorrt"},
            "formats are onnx, or onnx and tensorrt",
        )
        yield self.max_batch >= 1, "max_batch must be 1 or more"
        yield 0 < self.required_dice <= 1, "least_dice must lie between 0 and 1"


@dataclass(frozen=True, kw_only=True)
class SegmentationSpecification(ExportSpecification):
    """The export of a network that labels every pixel of CT slices.

    Args:
        window: HU range that 0..255 stands for.
        normalisation: How 0..255 was reached in training.
        pixel_spacing_mm: Pixel spacing that the network was trained on, mm.
        pixel_spacing_range_mm: Spacings that it takes without resampling, mm.
        mean: Subtracted from grey values 0..1 before the network, as in its training; one number,
            or one for each of its input channels.
        std: What they are divided by after that, likewise.
        activation: ``threshold`` for one sigmoid class, ``argmax`` over several.
        threshold: Probability above which a pixel is foreground (``threshold`` only).
        probabilities: Whether the graph has the probabilities as a second output.
        space_to_depth: Whether level 0 of a U-Net is computed at half resolution with four times
            the channels: the same result, faster on CPUs with AMX.
        size_multiple: H and W must be multiples of it; None: what the architecture needs.
        logit_tolerance: Largest relative difference of a logit (fp32).
    """

    window: Window = field(default_factory=Window)
    normalisation: Normalisation = Normalisation.INTERPATIENT
    pixel_spacing_mm: float = PIXEL_SPACING_MM
    pixel_spacing_range_mm: tuple[float, float] = PIXEL_SPACING_RANGE_MM
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    activation: Activation = "threshold"
    threshold: float = 0.5
    probabilities: bool = False
    space_to_depth: bool = False
    size_multiple: int | None = None
    logit_tolerance: float = LOGIT_TOLERANCE

    @property
    def output_channels(self) -> int:
        """Channels that the network must have: one a label, and one for background in an argmax."""
        return len(self.labels) + (1 if self.activation == "argmax" else 0)

    def _demands(self) -> Iterator[Demand]:
        yield from super()._demands()
        low, high = self.pixel_spacing_range_mm
        yield (
            self.activation != "threshold" or len(self.labels) == 1,
            f"threshold gives one label, not {len(self.labels)}: use argmax",
        )
        yield self.activation in ("threshold", "argmax"), "activation is threshold or argmax"
        yield 0 < self.threshold < 1, "threshold must lie between 0 and 1"
        yield (
            all(0 < value < math.inf for value in self.std) and all(map(math.isfinite, self.mean)),
            "std must be above 0, mean a number",
        )
        yield (
            len(self.mean) in (1, 3) and len(self.std) in (1, 3),
            "mean and std are one number, or one for each of three channels",
        )
        yield (
            0 < low <= self.pixel_spacing_mm <= high < math.inf,
            "pixel_spacing_range_mm must hold pixel_spacing_mm",
        )
        yield (
            self.size_multiple is None or self.size_multiple >= 1,
            "size_multiple must be 1 or more",
        )
        yield self.logit_tolerance > 0, "logit_tolerance must be above 0"


@dataclass(frozen=True, kw_only=True)
class DetectionSpecification(ExportSpecification):
    """The export of a network that finds regions in two views of a whole body.

    Args:
        image_size: (H, W) of an image, pixels: the anterior view in the left half, the posterior
            in the right. Its options say to what size the network resizes it.
        match_rate: Least share of detections, of the file's or the network's, that have a partner
            in the other's. Another value than 0.99 stands in the report.
        score_tolerance: Largest difference of two partners' scores; likewise.
    """

    max_batch: int = 8
    image_size: tuple[int, int] = IMAGE_SIZE
    match_rate: float = MATCH_RATE
    score_tolerance: float = SCORE_TOLERANCE

    def _demands(self) -> Iterator[Demand]:
        yield from super()._demands()
        yield self.precision != "int8", "a detector is exported in fp32 or fp16, not in int8"
        yield (
            len(self.image_size) == 2 and all(type(n) is int and n > 0 for n in self.image_size),
            "image_size is ROWS,COLUMNS, whole numbers above 0",
        )
        yield 0 < self.match_rate <= 1, "match_rate must lie between 0 and 1"
        yield 0 < self.score_tolerance < 1, "score_tolerance must lie between 0 and 1"
