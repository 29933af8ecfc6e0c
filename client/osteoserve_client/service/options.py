"""Options by the names that people type."""

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
#: Views of a bone scan.
VIEW_MESSAGES = {"anterior": pb.VIEW_ANTERIOR, "posterior": pb.VIEW_POSTERIOR}


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


def scintigraphy_options(
    *,
    brightness: float | None = None,
    retry_brightness: float | None = None,
    least_score: float | None = None,
    views_confirmed: bool = False,
) -> pb.ScintigraphyOptions:
    """Options of a request about a bone scan; None takes the service's default.

    Args:
        brightness: Factor of grey, above 0.
        retry_brightness: The same for a second try where regions are missing; 0 for none.
        least_score: Detections of a lower score are no regions, 0..1.
        views_confirmed: The caller vouches for views and sides, whatever the pixels say.
    """
    return pb.ScintigraphyOptions(
        brightness=brightness,
        retry_brightness=retry_brightness,
        least_score=least_score,
        views_confirmed=views_confirmed,
    )
