"""What a request and a model's contract come to together."""

from __future__ import annotations

from osteoserve_preprocessing.core import (
    InPlaneSampling,
    Normalisation,
    PreprocessingOptions,
    Window,
    in_plane_sampling,
)
from osteoserve_preprocessing.errors import OptionError
from osteoserve_preprocessing.geometry import Geometry
from osteoserve_preprocessing.inference import ModelContract, SegmentationContract
from osteoserve_preprocessing.server.exchange import VolumeRequest


def segmenting(request: VolumeRequest, contract: ModelContract) -> SegmentationContract:
    """The contract of a model that labels volumes.

    Raises:
        OptionError: The model does something else.
    """
    if not isinstance(contract, SegmentationContract):
        raise OptionError(
            f"model {contract.name} is for {contract.task} in {contract.modality} images: it "
            f"labels no {request.modality} volumes"
        )
    return contract


def check_modality(request: VolumeRequest, contract: SegmentationContract | None) -> None:
    """Refuse a volume that is not what the model was trained on.

    Raises:
        OptionError: The modalities differ, or the model is not for volumes.
    """
    expected = contract.modality if contract else "CT"
    if request.modality != expected:
        what = f"model {contract.name}" if contract else "preprocessing"
        raise OptionError(f"{what} takes {expected}, not {request.modality}")
    if expected != "CT":
        raise OptionError(f"volumes of {expected} are not segmented by this service")


def options_for(
    request: VolumeRequest, contract: SegmentationContract | None
) -> PreprocessingOptions:
    """The model's window and normalisation, with what the request chose."""
    window = contract.window if contract else Window()
    default = contract.normalisation if contract else Normalisation.INTERPATIENT
    return PreprocessingOptions(
        stretcher=request.stretcher,
        window=window,
        normalisation=request.normalisation or default,
        clip_femur_to_head=request.clip_femur_to_head,
    )


def sampling_for(geometry: Geometry, contract: SegmentationContract) -> InPlaneSampling:
    """How the slices of a canonical grid become what the model sees."""
    return in_plane_sampling(
        geometry,
        nominal_mm=contract.pixel_spacing_mm,
        range_mm=contract.pixel_spacing_range_mm,
        size_multiple=contract.size_multiple,
        cut_to_body=contract.cut_to_body,
    )


def cautions(
    request: VolumeRequest,
    contract: SegmentationContract | None,
    sampling: InPlaneSampling | None = None,
) -> tuple[str, ...]:
    """What the reader of an answer should know about the choices; one line each."""
    found = []
    if contract and request.normalisation not in (None, contract.normalisation):
        found.append(
            f"normalisation {options_for(request, contract).normalisation.value} was asked for; "
            f"model {contract.name} was trained with {contract.normalisation.value}"
        )
    if sampling and sampling.resamples:
        y, x = sampling.spacing_mm
        found.append(
            f"pixels of {y:g} x {x:g} mm were resampled to {sampling.network_mm[0]:g} mm for "
            "the network, and labels brought back by majority"
        )
    return tuple(found)
