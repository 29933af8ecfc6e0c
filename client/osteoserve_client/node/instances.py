"""What the node knows of an instance: digests of its UIDs, and to which series it belongs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset

from osteoserve_client.errors import MissingAttributeError, ModalityError, UnreadableFileError
from osteoserve_client.reading.dicom.attributes import text
from osteoserve_client.reading.dicom.headers import read_header
from osteoserve_client.reading.dicom.kinds import NUCLEAR_MEDICINE

#: In place of the digest of a Series Instance UID.
_NUCLEAR = "nm"


@dataclass(frozen=True, order=True)
class SeriesKey:
    """What is segmented together: a CT series, or all bone scans of a study.

    A camera may keep the anterior and the posterior view in a series each.

    Args:
        study: Digest of the Study Instance UID.
        series: Digest of the Series Instance UID; "nm" for the bone scans of the study.
    """

    study: str
    series: str

    @classmethod
    def parsed(cls, text: str) -> SeriesKey:
        """From its text."""
        study, _, series = text.partition("-")
        return cls(study, series)

    @property
    def nuclear(self) -> bool:
        """Whether it is bone scans."""
        return self.series == _NUCLEAR

    def __str__(self) -> str:
        return f"{self.study}-{self.series}"


@dataclass(frozen=True)
class Instance:
    """One image.

    Args:
        series: Where it belongs.
        name: Digest of its SOP Instance UID; of a bone scan, after that of its series.
    """

    series: SeriesKey
    name: str


def digest(uid: str) -> str:
    """What stands for a UID in names of files and in the log: 16 hexadecimal digits of SHA-256."""
    return hashlib.sha256(uid.encode()).hexdigest()[:16]


def identify(path: Path, *, sop_class: str, sop_instance: str) -> Instance:
    """Read whose a received file is.

    Args:
        path: The file (PS3.10).
        sop_class: What the sender called it (PS3.7 9.1.1.1).
        sop_instance: Likewise.

    Raises:
        UnreadableFileError: It is no DICOM, or damaged.
        MissingAttributeError: It belongs to no study or series.
        ModalityError: It is something else than the sender called it.
    """
    file = read_header(path, "the instance")
    if file is None:
        raise UnreadableFileError("the instance is no DICOM data set")
    own = text(file.dataset, "SOPClassUID", file.name), _uid(file.dataset, "SOPInstanceUID")
    if own != (sop_class, sop_instance):
        raise ModalityError("the instance is another, or of another class, than it was sent as")
    study, series = (_uid(file.dataset, f"{level}InstanceUID") for level in ("Study", "Series"))
    nuclear = sop_class in NUCLEAR_MEDICINE
    key = SeriesKey(digest(study), _NUCLEAR if nuclear else digest(series))
    return Instance(key, (digest(series) if nuclear else "") + digest(sop_instance))


def part_of(name: str) -> str:
    """What tells the series of one study's bone scans apart, by an instance's name."""
    return name[: -len(digest(""))]


def _uid(dataset: Dataset, keyword: str) -> str:
    value = text(dataset, keyword, "the instance")
    if not value:
        raise MissingAttributeError(f"the instance has no {keyword}")
    return value
