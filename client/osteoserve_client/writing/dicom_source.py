"""What a segmentation object takes over from its source: references, places, patient and study.

Real headers lack what the standard requires, and hold values that it forbids. From each source
image only what a segmentation object needs is carried over, in a form that is valid where that
is possible without breaking the link to the source; whatever was mended is said in a warning.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from pydicom import Dataset, config
from pydicom.uid import UID, CTImageStorage, EnhancedCTImageStorage, generate_uid
from pydicom.valuerep import validate_value

from osteoserve_client.errors import MissingAttributeError
from osteoserve_client.reading.discretion import silenced_libraries
from osteoserve_client.study import Study

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

#: Bind a segmentation object to study, series and space of its source.
UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")

LOSSY = ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod")


@dataclass(frozen=True, eq=False)
class DicomSource:
    """The source images, reduced to what a segmentation object takes over from them.

    Args:
        images: One dataset per slice, in the order of the slices; for a multi-frame source one
            dataset, whose frames are in the source's own order.
        warnings: What the source lacks or states wrongly, one line each, by attribute names.
    """

    images: tuple[Dataset, ...]
    warnings: tuple[str, ...]


def check_references(study: Study) -> None:
    """Refuse a study to whose slices a segmentation object could not refer.

    Raises:
        MissingAttributeError: A slice has no SOP Instance UID of its own.
    """
    _instances(study.datasets)


def dicom_source(study: Study) -> DicomSource:
    """Reduce a study's headers to what a segmentation object takes over.

    Raises:
        MissingAttributeError: A slice has no SOP Instance UID of its own, so that a segmentation
            object could not refer to it.
    """
    with silenced_libraries():
        return _reduced(study)


def _reduced(study: Study) -> DicomSource:
    first = study.datasets[0]
    instances = _instances(study.datasets)
    common, uid_warnings = _common(first, instances)
    patient, patient_warnings = _patient_and_study(first)
    orientation = None if study.frames else first.ImageOrientationPatient
    images: list[Dataset] = []
    for source, instance in zip(study.datasets, instances, strict=True):
        image = Dataset()
        image.update(common)
        image.SOPInstanceUID = instance
        image.update({} if images else patient)
        image.update(_frames(source) if study.frames else _plane(source, orientation))
        if not image.get("SliceThickness") and not study.frames:
            image.SliceThickness = study.volume.geometry.spacing[0]
        images.append(image)
    return DicomSource(tuple(images), (*uid_warnings, *patient_warnings))


def _instances(datasets: Iterable[Dataset]) -> tuple[str, ...]:
    instances = tuple(
        _stated(image, "SOPInstanceUID", "MediaStorageSOPInstanceUID") for image in datasets
    )
    seen = {""}
    for index, instance in enumerate(instances):
        if instance in seen:
            raise MissingAttributeError(
                f"slice {index} has no SOP Instance UID of its own: "
                "a segmentation object could not refer to it"
            )
        seen.add(instance)
    return instances


def _stated(image: Dataset, keyword: str, meta_keyword: str) -> str:
    """A UID from the data set, or from the file's meta information (PS3.10 section 7.1)."""
    meta = getattr(image, "file_meta", None) or Dataset()
    return str(image.get(keyword) or meta.get(meta_keyword) or "")


def _common(first: Dataset, instances: Sequence[str]) -> tuple[Dataset, list[str]]:
    common = Dataset()
    warnings = []
    for keyword in UIDS:
        value = str(first.get(keyword) or "")
        if not value:
            # Derived, not random: a second run's SEG belongs to the same study.
            value = generate_uid(entropy_srcs=[keyword, *instances])
            warnings.append(
                f"the source has no {keyword}: skeleton.seg.dcm holds one made from the UIDs of "
                "its images, and an archive will not file it with the source"
            )
        setattr(common, keyword, UID(value, config.IGNORE))
    invalid = [keyword for keyword in UIDS if not common[keyword].value.is_valid]
    invalid += [] if all(UID(uid).is_valid for uid in instances) else ["SOPInstanceUID"]
    if invalid:
        # Made valid they would refer to nothing.
        warnings.append(
            f"skeleton.seg.dcm repeats invalid UIDs of the source: {', '.join(invalid)}"
        )
    common.SOPClassUID = _sop_class(first)
    common.PositionReferenceIndicator = None
    for keyword in ("Rows", "Columns", "Modality", *LOSSY):
        if keyword in first:
            common[keyword] = first[keyword]
    return common, warnings


def _sop_class(first: Dataset) -> str:
    """The source's SOP class; what a CT image's must be, where none is stated."""
    multi_frame = "PerFrameFunctionalGroupsSequence" in first
    expected = EnhancedCTImageStorage if multi_frame else CTImageStorage
    return _stated(first, "SOPClassUID", "MediaStorageSOPClassUID") or expected


def _plane(source: Dataset, orientation: Any) -> Dataset:
    """Place of one single-frame image, its numbers as the source writes them."""
    plane = Dataset()
    plane.ImagePositionPatient = source.ImagePositionPatient
    # highdicom compares orientations to the last decimal; reading has found them to agree.
    plane.ImageOrientationPatient = orientation
    plane.PixelSpacing = source.PixelSpacing
    plane.SliceThickness = source.get("SliceThickness")
    return plane


def _frames(source: Dataset) -> Dataset:
    """Places of the frames of a multi-frame image, its numbers as the source writes them."""
    shared = source.SharedFunctionalGroupsSequence[0]
    per_frame = source.PerFrameFunctionalGroupsSequence
    # Orientation and spacing may stand per frame; reading has found them to agree.
    groups = Dataset()
    for keyword in ("PlaneOrientationSequence", "PixelMeasuresSequence"):
        # Copied, for highdicom adds what it works out to the items that it is given.
        groups[keyword] = deepcopy((shared if keyword in shared else per_frame[0])[keyword])
    frames = Dataset()
    frames.NumberOfFrames = len(per_frame)
    frames.SharedFunctionalGroupsSequence = [groups]
    frames.PerFrameFunctionalGroupsSequence = [_position(frame) for frame in per_frame]
    return frames


def _position(frame: Dataset) -> Dataset:
    groups = Dataset()
    groups.PlanePositionSequence = deepcopy(frame.PlanePositionSequence)
    return groups


def _patient_and_study(first: Dataset) -> tuple[Dataset, list[str]]:
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
    return carried, [f"the source states in an invalid form, so skeleton.seg.dcm omits: {names}"]


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
