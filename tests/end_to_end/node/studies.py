"""Copies of a phantom that are other studies, of a patient whose name must turn up nowhere."""

from __future__ import annotations

from pathlib import Path

import pydicom
from pydicom.uid import generate_uid

#: Parts of a patient; none may be found in a log, a table or a file's name.
CANARIES = ("CANARYNAME", "CANARYID", "19010203")


def another_study(source: Path, folder: Path, name: str, *, study: str | None = None) -> list[Path]:
    """A copy with UIDs of its own.

    Args:
        source: Folder of one series.
        folder: Where to.
        name: Of the study; the same name gives the same UIDs.
        study: The copy is a series of this study, beside others of other names.

    Returns:
        The files, in the order of the source's names.
    """
    folder.mkdir(parents=True)

    def uid(old: str) -> str:
        return generate_uid(entropy_srcs=[name, old])

    written = []
    for path in sorted(source.iterdir()):
        image = pydicom.dcmread(path)
        for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
            setattr(image, keyword, uid(image[keyword].value))
        if "FrameOfReferenceUID" in image:
            image.FrameOfReferenceUID = uid(image.FrameOfReferenceUID)
        if study is not None:
            image.StudyInstanceUID = generate_uid(entropy_srcs=[study])
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
        image.PatientName, image.PatientID, image.PatientBirthDate = CANARIES
        image.save_as(folder / path.name)
        written.append(folder / path.name)
    return written


def referenced(mask: Path) -> set[str]:
    """SOP Instance UIDs of the images that a mask refers to."""
    series = pydicom.dcmread(mask).ReferencedSeriesSequence
    return {
        instance.ReferencedSOPInstanceUID
        for one in series
        for instance in one.ReferencedInstanceSequence
    }


def instances(files: list[Path]) -> set[str]:
    return {str(pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID) for path in files}
