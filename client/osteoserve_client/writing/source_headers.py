"""What of a source's headers a segmentation object carries over, whatever kind of image it is.

Real headers lack what the standard requires, and hold values that it forbids. What is needed is
carried over in a form that is valid where that is possible without breaking the link to the
source; whatever was mended is said in a warning.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydicom import Dataset, config
from pydicom.uid import UID, generate_uid
from pydicom.valuerep import validate_value

from osteoserve_client.errors import MissingAttributeError

#: Identify the patient: carried over to the letter, valid or not, for a SEG whose patient is
#: spelled otherwise is filed under another patient. Type 2 (PS3.3 C.7.1.1): empty where absent.
VERBATIM = ("PatientName", "PatientID")

#: Type 2 as well (PS3.3 C.7.1.1, C.7.2.1): empty where absent or invalid.
CHECKED = (
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "ReferringPhysicianName",
)

#: Of the patient, the study and the scanner, carried over where present and valid (PS3.3 C.7.1.1,
#: C.7.1.3, C.7.2.1 to C.7.2.3, C.7.5.1).
OPTIONAL = (
    "IssuerOfPatientID",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
    "ClinicalTrialSponsorName",
    "ClinicalTrialProtocolID",
    "ClinicalTrialProtocolName",
    "ClinicalTrialSiteID",
    "ClinicalTrialSiteName",
    "ClinicalTrialSubjectID",
    "ClinicalTrialSubjectReadingID",
    "ClinicalTrialTimePointID",
    "ClinicalTrialTimePointDescription",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
    "StudyDescription",
    "LongitudinalTemporalInformationModified",
    "Manufacturer",
    "ManufacturerModelName",
    "DeviceSerialNumber",
    "SoftwareVersions",
)

#: PS3.3 C.7.1.1: enumerated values of Patient's Sex.
SEXES = ("M", "F", "O", "")

#: Bind a segmentation object to study and series of its source.
SERIES_UIDS = ("StudyInstanceUID", "SeriesInstanceUID")

LOSSY = ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod")


@dataclass(frozen=True, eq=False)
class DicomSource:
    """The source images, reduced to what a segmentation object takes over from them.

    Args:
        images: One dataset per slice, in the order of the slices, or per file; for a multi-frame
            CT one dataset, whose frames are in the source's own order.
        warnings: What the source lacks or states wrongly, one line each, by attribute names.
    """

    images: tuple[Dataset, ...]
    warnings: tuple[str, ...]


def instances_of(datasets: Iterable[Dataset], what: str) -> tuple[str, ...]:
    """SOP Instance UID of every image.

    Args:
        datasets: The images.
        what: What one of them is called, as "slice".

    Raises:
        MissingAttributeError: An image has none of its own, so that a segmentation object could
            not refer to it.
    """
    instances = tuple(
        stated(image, "SOPInstanceUID", "MediaStorageSOPInstanceUID") for image in datasets
    )
    seen = {""}
    for index, instance in enumerate(instances):
        if instance in seen:
            raise MissingAttributeError(
                f"{what} {index} has no SOP Instance UID of its own: "
                "a segmentation object could not refer to it"
            )
        seen.add(instance)
    return instances


def stated(image: Dataset, keyword: str, meta_keyword: str) -> str:
    """A UID from the data set, or from the file's meta information (PS3.10 section 7.1)."""
    meta = getattr(image, "file_meta", None) or Dataset()
    return str(image.get(keyword) or meta.get(meta_keyword) or "")


def series_number(image: Dataset) -> int:
    """The source's series number; 0 where it has none."""
    return int(image.get("SeriesNumber") or 0)


def common_headers(
    image: Dataset, instances: Sequence[str], uids: Sequence[str], output: str
) -> tuple[Dataset, list[str]]:
    """What all images of a series have in common, SOP class and patient left out.

    Args:
        image: One of them.
        instances: SOP Instance UIDs of all images of the source.
        uids: Which UIDs are needed; those that are absent are made.
        output: Name of the segmentation object's file, for the warnings.

    Returns:
        The headers, and what was wrong with the source's.
    """
    common = Dataset()
    warnings = []
    for keyword in uids:
        value = str(image.get(keyword) or "")
        if not value:
            # Derived, not random: a second run's SEG belongs to the same study.
            value = generate_uid(entropy_srcs=[keyword, *instances])
            warnings.append(
                f"the source has no {keyword}: {output} holds one made from the UIDs of "
                "its images, and an archive will not file it with the source"
            )
        setattr(common, keyword, UID(value, config.IGNORE))
    invalid = [keyword for keyword in uids if not common[keyword].value.is_valid]
    invalid += [] if all(UID(uid).is_valid for uid in instances) else ["SOPInstanceUID"]
    if invalid:
        # Made valid they would refer to nothing.
        warnings.append(f"{output} repeats invalid UIDs of the source: {', '.join(invalid)}")
    for keyword in ("Rows", "Columns", "Modality", *LOSSY):
        if keyword in image:
            common[keyword] = image[keyword]
    return common, warnings


def patient_and_study(first: Dataset, output: str) -> tuple[Dataset, list[str]]:
    """Patient and study as the source names them.

    Args:
        first: The source's first image.
        output: Name of the segmentation object's file, for the warning.

    Returns:
        The headers, and what was wrong with the source's.
    """
    carried = Dataset()
    for keyword in (*VERBATIM, *CHECKED):
        setattr(carried, keyword, None)
    invalid = []
    for keyword in (*VERBATIM, *CHECKED, *OPTIONAL):
        if keyword not in first:
            continue
        if keyword in VERBATIM or _is_valid(first, keyword):
            carried[keyword] = first[keyword]
        else:
            invalid.append(keyword)
    # Conditional on its value are these two; one of them must say how (PS3.3 C.7.1.1).
    if (
        "DeidentificationMethod" not in carried
        and "DeidentificationMethodCodeSequence" not in carried
    ):
        carried.pop("PatientIdentityRemoved", None)
    # Names in any script survive, whatever the source was written in.
    carried.SpecificCharacterSet = "ISO_IR 192"
    if not invalid:
        return carried, []
    names = ", ".join(invalid)
    return carried, [f"the source states in an invalid form, so {output} omits: {names}"]


def _is_valid(first: Dataset, keyword: str) -> bool:
    try:
        element = first[keyword]
        values = element.value if element.VM > 1 else [element.value]
        for value in values if element.VR != "SQ" else ():
            validate_value(element.VR, "" if value is None else str(value), config.RAISE)
    except (ValueError, TypeError, OverflowError):
        # pydicom converts on access, and raises whatever the conversion does.
        return False
    return keyword != "PatientSex" or str(first[keyword].value or "") in SEXES
