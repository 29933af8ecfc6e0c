"""Preprocessing options by the names that people type."""

from __future__ import annotations

from osteoserve_client.errors import UsageError
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb

#: What ``stretcher`` may be.
STRETCHER_METHODS = {
    "none": pb.STRETCHER_METHOD_NONE,
    "milara": pb.STRETCHER_METHOD_MILARA,
    "body": pb.STRETCHER_METHOD_BODY,
}
#: What ``normalisation`` may be.
NORMALISATIONS = {
    "interpatient": pb.NORMALISATION_INTERPATIENT,
    "inpatient": pb.NORMALISATION_INPATIENT,
}


def preprocessing_options(
    *,
    stretcher: str = "body",
    normalisation: str | None = None,
    clip_femur_to_head: bool = False,
) -> pb.PreprocessingOptions:
    """Options of a request, from their names.

    Args:
        stretcher: "none", "milara" (three margin lines and eight bands, Milara et al. 2024) or
            "body" (keep what belongs to the patient's body).
        normalisation: "interpatient" (the window's own limits) or "inpatient" (the volume's
            minimum and maximum inside it); None takes what the model was trained with.
        clip_femur_to_head: Leave out the slices below the first femur slice and those of the
            head.

    Raises:
        UsageError: There is no such method or normalisation.
    """
    if stretcher not in STRETCHER_METHODS:
        raise UsageError(f"stretcher must be one of {', '.join(STRETCHER_METHODS)}")
    if normalisation is not None and normalisation not in NORMALISATIONS:
        raise UsageError(f"normalisation must be one of {', '.join(NORMALISATIONS)}")
    return pb.PreprocessingOptions(
        stretcher=STRETCHER_METHODS[stretcher],
        normalisation=NORMALISATIONS[normalisation] if normalisation else None,
        clip_femur_to_head=clip_femur_to_head,
    )
