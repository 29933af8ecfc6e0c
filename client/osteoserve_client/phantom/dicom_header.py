"""What every DICOM file of a phantom says: an obviously synthetic patient, and where it comes from.

Synthetic Data (0008,001C) is YES. UIDs follow from a digest of the pixels, so that the same phantom
gives the same files.
"""

from __future__ import annotations

from pathlib import Path

from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

_DATE, _TIME = "20260101", "120000"


def new_folder(folder: Path) -> None:
    """Make a folder for a study.

    Raises:
        FileExistsError: It holds something already.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty: a study needs a folder of its own")


def new_file(path: Path, sop_class: UID, instance: UID) -> FileDataset:
    """An empty file of one instance, not yet written.

    Args:
        path: Where it will be.
        sop_class: SOP Class UID.
        instance: SOP Instance UID.
    """
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = instance
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, instance
    return dataset


def phantom_uid(digest: str, role: str) -> UID:
    """The UID that something of a phantom always has.

    Args:
        digest: Of the phantom's pixels.
        role: What the UID is of.
    """
    return generate_uid(entropy_srcs=["osteoserve phantom", digest, role])


def synthetic_header(digest: str, *, modality: str, description: str) -> Dataset:
    """Attributes of patient, study, series and equipment (PS3.3 C.7.1 to C.7.5).

    Args:
        digest: Of the phantom's pixels.
        modality: Modality (0008,0060).
        description: Series Description (0008,103E).
    """
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SyntheticData = "YES"
    ds.PatientName = "PHANTOM^OSTEOSERVE"
    ds.PatientID = f"PHANTOM-{digest[:8].upper()}"
    ds.PatientBirthDate = ""
    ds.PatientSex = "O"
    ds.StudyInstanceUID = phantom_uid(digest, "study")
    ds.StudyDate = ds.SeriesDate = ds.AcquisitionDate = ds.ContentDate = _DATE
    ds.StudyTime = ds.SeriesTime = ds.AcquisitionTime = ds.ContentTime = _TIME
    ds.StudyID = "1"
    ds.StudyDescription = "Osteoserve synthetic phantom"
    ds.AccessionNumber = ""
    ds.ReferringPhysicianName = ""
    ds.Modality = modality
    ds.SeriesInstanceUID = phantom_uid(digest, "series")
    ds.SeriesNumber = 1
    ds.SeriesDescription = description
    ds.BodyPartExamined = "WHOLEBODY"
    ds.FrameOfReferenceUID = phantom_uid(digest, "frame of reference")
    ds.PositionReferenceIndicator = ""
    ds.Manufacturer = "Osteoserve"
    ds.ManufacturerModelName = "Phantom"
    ds.AcquisitionNumber = 1
    ds.BurnedInAnnotation = "NO"
    return ds
