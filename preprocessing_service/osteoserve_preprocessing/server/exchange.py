"""What the RPC methods and the pipeline exchange: no protobuf, no gRPC."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from osteoserve_preprocessing.core import (
    LabelMeasure,
    Normalisation,
    Preprocessed,
    StretcherMethod,
    StretcherReport,
    Window,
)
from osteoserve_preprocessing.core.region_maps import RegionFinding, RegionMaps, RegionMeasure
from osteoserve_preprocessing.core.regions import Region
from osteoserve_preprocessing.geometry import Geometry
from osteoserve_preprocessing.inference.contract import (
    DetectionContract,
    Modality,
    SegmentationContract,
)
from osteoserve_preprocessing.server.stages import StageTime


@dataclass(frozen=True, eq=False, kw_only=True)
class VolumeRequest:
    """What a header asks for.

    Args:
        geometry: Grid of the volume to come, any orientation.
        modality: What the caller says it is.
        model: Name of the model; empty where only preprocessing is asked for with the default
            window.
        stretcher: How the table is found.
        normalisation: None takes what the model was trained with.
        clip_femur_to_head: Whether to leave out slices below the femur and of the head.
    """

    geometry: Geometry
    modality: Modality
    model: str
    stretcher: StretcherMethod
    normalisation: Normalisation | None
    clip_femur_to_head: bool

    @property
    def shape(self) -> tuple[int, int, int]:
        """(Z, Y, X) of what is to come."""
        return self.geometry.shape


@dataclass(frozen=True, eq=False, kw_only=True)
class ScintigramRequest:
    """What a header asks for.

    Args:
        views: "anterior", "posterior" or both, in the order of the counts to come.
        image_shape: (Y, X) of each view.
        pixel_spacing_mm: (between rows, between columns); None where it is not known.
        model: Name of the model.
        brightness: Factor of grey.
        retry_brightness: The same for a second try where regions are missing; 0 for none.
        least_score: Detections of a lower score are no regions.
        views_confirmed: The caller vouches for views and sides: what the pixels say against them is
            a warning, no refusal.
    """

    views: tuple[str, ...]
    image_shape: tuple[int, int]
    pixel_spacing_mm: tuple[float, float] | None
    model: str
    brightness: float
    retry_brightness: float
    least_score: float
    views_confirmed: bool

    @property
    def shape(self) -> tuple[int, int, int]:
        """(V, Y, X) of what is to come."""
        return len(self.views), *self.image_shape


#: Whatever a stream with an upload asks for.
Request = VolumeRequest | ScintigramRequest

Voxel = TypeVar("Voxel", bound=np.generic)


class Stage(Enum):
    """What a call is doing."""

    QUEUED = auto()
    RECEIVING = auto()
    PREPROCESSING = auto()
    INFERENCE = auto()


@dataclass(frozen=True)
class Progress:
    """How far a call has come.

    Args:
        stage: What it is doing.
        done: Slices, or views, done.
        total: Of how many.
    """

    stage: Stage
    done: int
    total: int


#: Tells the caller how far its call has come.
Tell = Callable[[Progress], Awaitable[None]]


class Upload(Protocol):
    """The rest of a request's stream, after its header, or memory that the caller shares."""

    #: (Z, Y, X) uint8 in the caller's memory, where the labels go; None where they are sent.
    labels: npt.NDArray[np.uint8] | None

    async def receive(
        self, shape: tuple[int, int, int], dtype: type[Voxel], tell: Tell
    ) -> npt.NDArray[Voxel]:
        """Take the voxels; refuses a stream that is not whole."""

    async def confirmed(self) -> bytes:
        """Digest of what was received, once the caller's own is known to agree.

        Nothing may be answered before. Of what came in chunks it is known already; what lies in the
        caller's memory is read for it, beside whatever is computed.
        """


@dataclass(frozen=True)
class PreprocessingSummary:
    """What preprocessing did, without its arrays.

    Args:
        stretcher: What was removed as stretcher.
        window: Range of HU that the network saw.
        normalisation: Which HU became 0 and 255.
        clip: Slices that were kept, counted from the feet.
        warnings: One line each.
    """

    stretcher: StretcherReport
    window: Window
    normalisation: Normalisation
    clip: range
    warnings: tuple[str, ...]

    @classmethod
    def of(cls, preprocessed: Preprocessed, warnings: tuple[str, ...]) -> PreprocessingSummary:
        """The summary of a result, with the caller's further warnings."""
        return cls(
            stretcher=preprocessed.stretcher,
            window=preprocessed.window,
            normalisation=preprocessed.normalisation,
            clip=preprocessed.clip,
            warnings=(*preprocessed.warnings, *warnings),
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class PreprocessedAnswer:
    """Answer to Preprocess, on the grid of the request.

    Args:
        geometry: That grid.
        slices: (Z, Y, X) uint8, 0..255: windowed and normalised.
        stretcher_mask: (Z, Y, X) bool.
        summary: What was done.
    """

    geometry: Geometry
    slices: npt.NDArray[np.uint8]
    stretcher_mask: npt.NDArray[np.bool_]
    summary: PreprocessingSummary


@dataclass(frozen=True, eq=False, kw_only=True)
class SegmentedAnswer:
    """Answer to Segment, on the grid of the request.

    Args:
        geometry: That grid.
        labels: (Z, Y, X) uint8, 0 background.
        labels_shared: Whether they lie in the caller's memory, and need not be sent.
        contract: The model that answered.
        summary: What preprocessing did.
        measures: One per label of the model.
        stages: Wall times.
        input_sha256: Digest of the voxels as received, 32 bytes.
        service_version: Which service answered.
    """

    geometry: Geometry
    labels: npt.NDArray[np.uint8]
    labels_shared: bool
    contract: SegmentationContract
    summary: PreprocessingSummary
    measures: tuple[LabelMeasure, ...]
    stages: tuple[StageTime, ...]
    input_sha256: bytes
    service_version: str


@dataclass(frozen=True, eq=False, kw_only=True)
class ScintigramAnswer:
    """Answer to SegmentScintigram, on the grid of the request.

    Args:
        request: What was asked.
        contract: The model that answered.
        brightness: With which factor of grey the regions were found.
        white: Counts that became white.
        kept: Rows and columns of the views that the network saw.
        total_counts: Of each view.
        regions: The surest first.
        measures: One for each region.
        maps: Which region each pixel belongs to.
        findings: What is missing or doubled.
        warnings: One line each.
        stages: Wall times.
        input_sha256: Digest of the counts as received, 32 bytes.
        service_version: Which service answered.
    """

    request: ScintigramRequest
    contract: DetectionContract
    brightness: float
    white: float
    kept: tuple[range, range]
    total_counts: tuple[int, ...]
    regions: tuple[Region, ...]
    measures: tuple[RegionMeasure, ...]
    maps: RegionMaps
    findings: tuple[RegionFinding, ...]
    warnings: tuple[str, ...]
    stages: tuple[StageTime, ...]
    input_sha256: bytes
    service_version: str
