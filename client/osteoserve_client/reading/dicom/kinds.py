"""Tells CT slices from everything else that lies in a DICOM folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pydicom.uid import (
    UID,
    CTImageStorage,
    EnhancedCTImageStorage,
    LegacyConvertedEnhancedCTImageStorage,
    MediaStorageDirectoryStorage,
    NuclearMedicineImageStorage,
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
#: The second is the retired one of 1993 (PS3.6, table A-1).
NUCLEAR_MEDICINE = (NuclearMedicineImageStorage, UID("1.2.840.10008.5.1.4.1.1.5"))

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


@dataclass(frozen=True, eq=False, kw_only=True)
class Sought:
    """What is looked for among all that lies in a folder.

    Args:
        modality: DICOM Modality.
        sop_classes: Classes whose images are always of that modality.
        refusal: Why an image cannot be what is sought; None when nothing in its header says so.
        words: What a summary says of a series without one that can, by the kind of refusal; the
            refusal that tells most comes first.
        title: How messages call one, as "CT".
        other: What a summary says of a series for any other reason, as "not CT".
    """

    modality: str
    sop_classes: tuple[UID, ...]
    refusal: Callable[[DicomFile], InputError | None]
    words: Mapping[type[InputError], str]
    title: str
    other: str


def modality(file: DicomFile) -> str:
    """Modality (0008,0060), or "CT" or "NM" where only the SOP class says so."""
    declared = text(file.dataset, "Modality", file.name).upper()
    if declared:
        return declared
    if sop_class(file) in NUCLEAR_MEDICINE:
        return "NM"
    return "CT" if sop_class(file) in (SINGLE_FRAME_CT, *MULTI_FRAME_CT) else ""


def sop_class(file: DicomFile) -> UID:
    """SOP Class UID (0008,0016); empty when there is none."""
    return UID(text(file.dataset, "SOPClassUID", file.name))


def is_image(file: DicomFile, sought: Sought) -> bool:
    """Whether the file holds an image, of any modality, and not a report, plan or directory.

    Raises:
        UnreadableFileError: It calls itself what is sought, or nothing at all, and holds no
            pixels: what is left of a file after an interrupted copy.
    """
    if file.pixel_offset is not None or file.float_pixels:
        return True
    kind = sop_class(file)
    if kind == MediaStorageDirectoryStorage:
        return False
    named = kind in sought.sop_classes
    if named or (not kind and modality(file) in ("", sought.modality)):
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
    check_pixel_format(file, unit="HU")


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


def check_pixel_format(file: DicomFile, *, unit: str) -> None:
    """Refuses pixels that are no whole numbers of one channel.

    Args:
        file: The image.
        unit: What its pixels should be, for the message.

    Raises:
        PixelFormatError: They are colours or floating-point numbers.
    """
    samples = integer(file.dataset, "SamplesPerPixel", file.name) or 1
    photometric = text(file.dataset, "PhotometricInterpretation", file.name).upper()
    if samples != 1 or photometric not in ("MONOCHROME1", "MONOCHROME2", ""):
        raise PixelFormatError(f"{file.name}: is a colour image, not {unit}")
    if file.float_pixels:
        raise PixelFormatError(f"{file.name}: its pixels are floating-point numbers")


def shown_modality(file: DicomFile) -> str:
    """The modality as messages may show it; "?" where it is none of the common ones."""
    found = modality(file)
    return found if found in _MODALITIES else "?"


#: CT slices, which ``read_study`` looks for.
CT = Sought(
    modality="CT",
    sop_classes=(SINGLE_FRAME_CT, *MULTI_FRAME_CT),
    refusal=refusal,
    words={
        DerivedImageError: "derived image",
        LocalizerError: "localizer",
        PixelFormatError: "colour image",
    },
    title="CT",
    other="not CT",
)
