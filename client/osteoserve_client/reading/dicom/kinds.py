"""Tells CT slices from everything else that lies in a DICOM folder."""

from __future__ import annotations

from pydicom.uid import (
    UID,
    CTImageStorage,
    EnhancedCTImageStorage,
    LegacyConvertedEnhancedCTImageStorage,
    MediaStorageDirectoryStorage,
    SecondaryCaptureImageStorage,
)

from osteoserve_client.errors import (
    DerivedImageError,
    InputError,
    LocalizerError,
    ModalityError,
    PixelFormatError,
    UnreadableFileError,
)
from osteoserve_client.reading.dicom.attributes import integer, text, texts
from osteoserve_client.reading.dicom.headers import DicomFile

SINGLE_FRAME_CT = CTImageStorage
MULTI_FRAME_CT = (EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage)

#: Common Modalities (PS3.3 C.7.3.1.1.1). Only these are shown: a damaged header may hold anything.
_MODALITIES = frozenset(
    (
        *("CT", "MR", "PT", "NM", "US", "CR", "DX", "MG", "XA", "RF", "IO", "OPT", "OP", "ES"),
        *("XC", "SM", "PX", "ECG", "OT", "SC", "SEG", "RTIMAGE", "RTDOSE", "RTSTRUCT", "RTPLAN"),
        *("REG", "SR", "PR", "KO", "DOC"),
    )
)

#: Words of Image Type (0008,0008), third value and on, and of Frame Type (0008,9007), whose
#: pixels are no HU measured at that place: projections, renderings, and computed maps
#: (PS3.3 C.8.2.1.1.1, C.8.15.2.1.1 and C.8.16.1.4).
NO_SLICE_WORDS = frozenset(
    (
        # projections and renderings
        *("MAXIMUM", "MINIMUM", "MIP", "MINIP", "MAX_IP", "MIN_IP", "PROJECTION IMAGE", "VOLREN"),
        *("VOLUME RENDERING", "VRT", "SSD", "SCREEN SAVE", "SCREEN_SAVE", "SCREENSAVE"),
        # perfusion and statistics
        *("RCBF", "RCBV", "CBF", "CBV", "MTT", "TTP", "TMAX", "STD_DEVIATION", "T_TEST"),
        *("Z_SCORE", "SUBTRACTION", "DIVISION", "MULTIPLICATION", "MASKED"),
        # multi-energy results whose unit is no HU (PS3.3 C.8.2.1.1.1)
        *("MAT_FRACTIONAL", "EFF_ATOMIC_NUM", "ELECTRON_DENSITY", "MAT_SPECIFIC"),
    )
)


def modality(file: DicomFile) -> str:
    """Modality (0008,0060), or "CT" where only the SOP class says so."""
    declared = text(file.dataset, "Modality", file.name).upper()
    if declared:
        return declared
    return "CT" if sop_class(file) in (SINGLE_FRAME_CT, *MULTI_FRAME_CT) else ""


def sop_class(file: DicomFile) -> UID:
    """SOP Class UID (0008,0016); empty when there is none."""
    return UID(text(file.dataset, "SOPClassUID", file.name))


def is_image(file: DicomFile) -> bool:
    """Whether the file holds an image, of any modality, and not a report, plan or directory.

    Raises:
        UnreadableFileError: It calls itself CT, or nothing at all, and holds no pixels: what is
            left of a file after an interrupted copy.
    """
    if file.pixel_offset is not None or file.float_pixels:
        return True
    kind = sop_class(file)
    if kind == MediaStorageDirectoryStorage:
        return False
    if kind in (SINGLE_FRAME_CT, *MULTI_FRAME_CT) or (not kind and modality(file) in ("", "CT")):
        raise UnreadableFileError(f"{file.name}: holds no pixel data; it is truncated or damaged")
    return False


def is_multi_frame(file: DicomFile) -> bool:
    """Whether its frames lie where functional groups say (PS3.3 C.7.6.16)."""
    return sop_class(file) in MULTI_FRAME_CT


def is_localizer(file: DicomFile) -> bool:
    """Whether Image Type calls it a localizer (scout, topogram)."""
    return "LOCALIZER" in texts(file.dataset, "ImageType", file.name)


def refusal(file: DicomFile) -> InputError | None:
    """Why the image cannot be CT slices; None when nothing in its header speaks against it."""
    try:
        _check(file)
    except InputError as error:
        return error
    return None


def _check(file: DicomFile) -> None:
    if modality(file) != "CT":
        raise ModalityError(f"{file.name}: its modality, {shown_modality(file)}, is not CT")
    _check_sop_class(file)
    if is_localizer(file):
        raise LocalizerError(f"{file.name}: is a localizer (scout), not a slice")
    check_image_type(texts(file.dataset, "ImageType", file.name), file.name)
    _check_pixel_format(file)


def _check_sop_class(file: DicomFile) -> None:
    kind = sop_class(file)
    # Prefix: the multi-frame secondary captures are numbered below it.
    if kind.startswith(SecondaryCaptureImageStorage):
        raise DerivedImageError(f"{file.name}: is a secondary capture (a screenshot or scan)")
    if kind and kind not in (SINGLE_FRAME_CT, *MULTI_FRAME_CT):
        raise ModalityError(f"{file.name}: its SOP class is not CT Image Storage")


def check_image_type(words: tuple[str, ...], name: str) -> None:
    """Refuses pixels that are no HU of a slice, going by Image Type or Frame Type.

    Raises:
        LocalizerError: It is a localizer.
        DerivedImageError: It is a projection, a rendering or a computed map.
    """
    if "LOCALIZER" in words:
        raise LocalizerError(f"{name}: is a localizer (scout), not a slice")
    found = sorted(NO_SLICE_WORDS.intersection(words[2:]))
    if found:
        raise DerivedImageError(
            f"{name}: Image Type {found[0]}: a projection, rendering or computed map, not a slice"
        )


def _check_pixel_format(file: DicomFile) -> None:
    samples = integer(file.dataset, "SamplesPerPixel", file.name) or 1
    photometric = text(file.dataset, "PhotometricInterpretation", file.name).upper()
    if samples != 1 or photometric not in ("MONOCHROME1", "MONOCHROME2", ""):
        raise PixelFormatError(f"{file.name}: is a colour image, not HU")
    if file.float_pixels:
        raise PixelFormatError(f"{file.name}: its pixels are floating-point numbers")


def shown_modality(file: DicomFile) -> str:
    """The modality as messages may show it; "?" where it is none of the common ones."""
    found = modality(file)
    return found if found in _MODALITIES else "?"
