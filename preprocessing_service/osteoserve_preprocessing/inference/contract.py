"""What the service must know about a model, whatever its task; Triton's configuration states it.

`parameters` reads a contract from a model's config.pbtxt, and writes it there.
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Final, Literal

from osteoserve_preprocessing.core.options import Normalisation, Window
from osteoserve_preprocessing.errors import ContractError
from osteoserve_preprocessing.inference.detections import INPUT, OUTPUTS
from osteoserve_preprocessing.inference.labels import Label

Modality = Literal["CT", "NM"]
Task = Literal["segmentation", "detection"]

#: What the weights of a model file may be.
FILE_PRECISIONS: Final = ("fp32", "fp16", "int8")

_SHA256: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class ModelContract(ABC):
    """What the contracts of all models state.

    Args:
        name: Name in the model repository.
        version: Version that Triton serves, such as "1".
        modality: Which images it was trained on.
        labels: What its output values mean; background, 0, is not listed.
        digest: SHA-256 of the model file, 64 lower-case hexadecimal digits.
        precision: Arithmetic of the engine that runs the file, such as "fp32".
        file_precision: Weights of the file: "fp32", "fp16", or "int8", whose quantised
            convolutions every engine computes as such.
        max_batch: Most images in one request.
        input_name: Name of the input tensor, (N, H, W) uint8.

    Attributes:
        task: What the model does.
        orientations: How its images lie in the patient, by the modalities that the task has.

    Raises:
        ContractError: A value is impossible; the message names the parameter.
    """

    task: ClassVar[Task]
    orientations: ClassVar[dict[str, str]]

    name: str
    version: str
    modality: Modality
    labels: tuple[Label, ...]
    digest: str
    precision: str
    file_precision: str = "fp32"
    max_batch: int
    input_name: str

    def __post_init__(self) -> None:
        if self.modality not in self.orientations:
            allowed = ", ".join(self.orientations)
            raise wrong("modality", f"must be one of {allowed} for {self.task}", self.modality)
        values = [label.value for label in self.labels]
        if not values or len(set(values)) < len(values):
            raise wrong("labels", "must be one or more, each with its own value", values)
        if not _SHA256.fullmatch(self.digest):
            raise wrong("model_sha256", "must be 64 lower-case hexadecimal digits", self.digest)
        if not self.precision:
            raise wrong("precision", "must be named", self.precision)
        if self.file_precision not in FILE_PRECISIONS:
            allowed = ", ".join(FILE_PRECISIONS)
            raise wrong("file_precision", f"must be one of {allowed}", self.file_precision)
        if self.max_batch < 1:
            raise ContractError(f"max_batch_size must be 1 or more, not {self.max_batch}")

    @property
    @abstractmethod
    def output_names(self) -> tuple[str, ...]:
        """Names of the output tensors that it is asked for."""

    @property
    def orientation(self) -> str:
        """How the images that it sees lie in the patient."""
        return self.orientations[self.modality]

    @property
    def answered_in(self) -> str:
        """Precision for a reader: of the arithmetic, and of the file where that is another."""
        if self.file_precision == "fp32":
            return self.precision
        return f"{self.precision}, {self.file_precision} weights"

    @property
    def label_values(self) -> tuple[int, ...]:
        """Every value that the model may answer, background first."""
        return (0, *sorted(label.value for label in self.labels))


@dataclass(frozen=True, kw_only=True)
class SegmentationContract(ModelContract):
    """The contract of a model that labels every pixel.

    Input is (N, H, W) uint8, 0..255 over the window; output is (N, H, W) uint8, label values.

    Args:
        window: HU range that 0..255 stands for.
        normalisation: How 0..255 was reached in training.
        pixel_spacing_mm: Pixel spacing that it was trained on, mm.
        pixel_spacing_range_mm: Least and largest spacing that it takes without resampling, mm.
        size_multiple: H and W must be multiples of it.
        cut_to_body: Whether it was proved to answer the same when air around the body is cut away;
            otherwise it is shown whole slices.
        output_name: Name of the output tensor.
    """

    task = "segmentation"
    orientations: ClassVar[dict[str, str]] = {"CT": "LPS axial", "NM": "planar view"}

    window: Window
    normalisation: Normalisation
    pixel_spacing_mm: float
    pixel_spacing_range_mm: tuple[float, float]
    size_multiple: int
    cut_to_body: bool = False
    input_name: str = "slices"
    output_name: str = "labels"

    def __post_init__(self) -> None:
        super().__post_init__()
        low, high = self.pixel_spacing_range_mm
        if not 0 < low <= self.pixel_spacing_mm <= high < math.inf:
            raise wrong("pixel_spacing_range_mm", "must hold pixel_spacing_mm", (low, high))
        if self.size_multiple < 1:
            raise wrong("size_multiple", "must be 1 or more", self.size_multiple)

    @property
    def output_names(self) -> tuple[str, ...]:
        """See `ModelContract.output_names`."""
        return (self.output_name,)


@dataclass(frozen=True, kw_only=True)
class DetectionContract(ModelContract):
    """The contract of a model that finds objects: a box, a label, a score and a mask for each.

    Input is (N, H, W) uint8 of one fixed size, two views of the body side by side, the anterior
    one in the left half (Yu 2023); outputs are those that `detections` describes.

    Args:
        image_size: (H, W), pixels.
        detections: Most detections in one image, D.
        mask_cells: Cells along each side of a detection's mask, M.
    """

    task = "detection"
    orientations: ClassVar[dict[str, str]] = {"NM": "anterior left, posterior right"}

    image_size: tuple[int, int]
    detections: int
    mask_cells: int
    input_name: str = INPUT

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.image_size) < 1:
            raise wrong("image_size", "must be rows and columns above 0", self.image_size)
        if self.detections < 1:
            raise wrong("detections", "must be 1 or more", self.detections)
        if self.mask_cells < 1:
            raise wrong("mask_cells", "must be 1 or more", self.mask_cells)

    @property
    def output_names(self) -> tuple[str, ...]:
        """See `ModelContract.output_names`."""
        return OUTPUTS


def wrong(key: str, requirement: str, value: object) -> ContractError:
    """The error of a parameter with an impossible value."""
    return ContractError(f"parameter osteoserve.{key} {requirement}, not {value!r}")
