"""What a segmentation object takes over from a bone scan: references, patient and study."""

from __future__ import annotations

from pydicom import Dataset
from pydicom.uid import NuclearMedicineImageStorage

from osteoserve_client.errors import InconsistentViewsError
from osteoserve_client.reading.discretion import silenced_libraries
from osteoserve_client.scintigram import Scintigram
from osteoserve_client.writing.output_names import REGIONS_OBJECT
from osteoserve_client.writing.source_headers import (
    SERIES_UIDS,
    DicomSource,
    common_headers,
    instances_of,
    patient_and_study,
    stated,
)


def check_references(scan: Scintigram) -> None:
    """Refuse a scan to whose frames one segmentation object could not refer.

    Raises:
        MissingAttributeError: A file has no SOP Instance UID of its own.
        InconsistentViewsError: The files' frames differ in size.
    """
    instances_of(scan.datasets, "file")
    if scan.datasets and len({scan.stored_shapes[view.file] for view in scan.views}) > 1:
        raise InconsistentViewsError(
            "the files of the views hold frames of different sizes: "
            "no one segmentation object lies on both"
        )


def nm_source(scan: Scintigram) -> DicomSource:
    """Reduce a scan's headers to what a segmentation object takes over, one dataset per file.

    There is no frame of reference among it: a planar view has no place in it, and a segmentation
    object that names one must place its frames there (PS3.3 A.51.5.1). Nor a pixel spacing: the
    frames are the source's, pixel by pixel, and highdicom reads none without a slice thickness.

    Raises:
        MissingAttributeError: A file has no SOP Instance UID of its own.
        InconsistentViewsError: The files' frames differ in size.
    """
    check_references(scan)
    with silenced_libraries():
        return _reduced(scan)


def _reduced(scan: Scintigram) -> DicomSource:
    instances = instances_of(scan.datasets, "file")
    patient, warnings = patient_and_study(scan.datasets[0], REGIONS_OBJECT)
    images = []
    for dataset, instance in zip(scan.datasets, instances, strict=True):
        image, found = common_headers(dataset, instances, SERIES_UIDS, REGIONS_OBJECT)
        image.update(patient)
        image.SOPInstanceUID = instance
        image.SOPClassUID = _sop_class(dataset)
        images.append(image)
        warnings += found
    return DicomSource(tuple(images), tuple(dict.fromkeys(warnings)))


def _sop_class(dataset: Dataset) -> str:
    """The file's SOP class; what a bone scan's must be, where none is stated."""
    said = stated(dataset, "SOPClassUID", "MediaStorageSOPClassUID")
    return said or NuclearMedicineImageStorage
