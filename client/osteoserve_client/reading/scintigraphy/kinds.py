"""Tells whole-body scans from all other images of nuclear medicine."""

from __future__ import annotations

from pydicom.uid import SecondaryCaptureImageStorage

from osteoserve_client.errors import AcquisitionError, InputError, ModalityError, PixelFormatError
from osteoserve_client.reading.dicom.attributes import texts
from osteoserve_client.reading.dicom.headers import DicomFile
from osteoserve_client.reading.dicom.kinds import (
    NUCLEAR_MEDICINE,
    Sought,
    check_pixel_format,
    modality,
    shown_modality,
    sop_class,
)
from osteoserve_client.reading.scintigraphy.tracers import check_tracer

#: Image Type (0008,0008), value 3, of everything that is no whole-body scan (PS3.3 C.8.4.9.1.1).
_OTHER_ACQUISITIONS = frozenset(
    ("STATIC", "DYNAMIC", "GATED", "TOMO", "GATED TOMO", "RECON TOMO", "RECON GATED TOMO")
)


def refusal(file: DicomFile) -> InputError | None:
    """Why the image cannot be a whole-body bone scan; None when its header leaves it open."""
    try:
        _check(file)
    except InputError as error:
        return error
    return None


def is_secondary_capture(file: DicomFile) -> bool:
    """Whether it is a copy of an image, made by another device than the camera."""
    kind = sop_class(file)
    # The multi-frame ones are numbered below the first.
    return kind == SecondaryCaptureImageStorage or kind.startswith(
        f"{SecondaryCaptureImageStorage}."
    )


def _check(file: DicomFile) -> None:
    if modality(file) != "NM":
        raise ModalityError(f"{file.name}: its modality, {shown_modality(file)}, is not NM")
    kind = sop_class(file)
    if kind and kind not in NUCLEAR_MEDICINE and not is_secondary_capture(file):
        raise ModalityError(
            f"{file.name}: its SOP class is neither Nuclear Medicine Image Storage nor a secondary "
            "capture"
        )
    _check_image_type(file)
    check_tracer(file)
    check_pixel_format(file, unit="counts")


def _check_image_type(file: DicomFile) -> None:
    words = [word.replace("_", " ") for word in texts(file.dataset, "ImageType", file.name)]
    acquisition, source = [*words[2:4], "", ""][:2]
    if acquisition.replace(" ", "") != "WHOLEBODY":
        stated = (
            f"is {acquisition}" if acquisition in _OTHER_ACQUISITIONS else "does not say WHOLE BODY"
        )
        raise AcquisitionError(
            f"{file.name}: Image Type {stated}: only whole-body bone scans are read"
        )
    if source == "TRANSMISSION":
        raise AcquisitionError(
            f"{file.name}: Image Type is TRANSMISSION: it shows a source's beam, not the patient"
        )


#: Whole-body bone scans, which ``read_scintigram`` looks for.
SCINTIGRAM = Sought(
    modality="NM",
    sop_classes=NUCLEAR_MEDICINE,
    refusal=refusal,
    words={AcquisitionError: "no whole-body bone scan", PixelFormatError: "colour image"},
    title="bone scan",
    other="no bone scan",
)
