"""Words that stand for a patient, in every way in which they could be written down."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pydicom import Dataset

#: In headers: allowed in the segmentation objects alone.
NAME, IDENTITY, ACCESSION = "QUAGGAWORD", "ZYZZYVAPID", "XOLOITZACC"
INSTITUTION, DESCRIPTION, COMMENT = "VERQUERHOSP", "KWYJIBODESC", "BORBORYGCOM"
BIRTH = "19010723"
WORDS = (NAME, IDENTITY, ACCESSION, INSTITUTION, DESCRIPTION, COMMENT, BIRTH)
#: In names of files and folders: the user's own command may repeat them, and nobody else.
FILE = "SYZYGYFILE"


def mark(dataset: Dataset) -> None:
    """Write them wherever a header tells of the patient."""
    dataset.PatientName = f"{NAME}^{NAME}"
    dataset.PatientID = dataset.OtherPatientIDs = IDENTITY
    dataset.PatientBirthDate = BIRTH
    dataset.AccessionNumber = ACCESSION
    dataset.InstitutionName = dataset.InstitutionAddress = INSTITUTION
    dataset.ReferringPhysicianName = dataset.OperatorsName = NAME
    dataset.StudyDescription = dataset.SeriesDescription = DESCRIPTION
    dataset.ProtocolName = dataset.StudyID = DESCRIPTION
    dataset.PatientComments = dataset.ImageComments = COMMENT
    dataset.PatientAddress = COMMENT


def found_in(data: bytes, words: tuple[str, ...]) -> set[str]:
    """Those that bytes hold: plain, in UTF-16, as hexadecimal digits or in base64."""
    lowered = data.lower()
    return {
        word
        for word in words
        if any(form in lowered for form in _caseless(word)) or any(f in data for f in _base64(word))
    }


def _caseless(word: str) -> Iterator[bytes]:
    for coding in ("utf-8", "utf-16-le", "utf-16-be"):
        text = word.lower().encode(coding)
        yield text
    yield word.encode().hex().encode()
    yield word.lower().encode().hex().encode()


def _base64(word: str) -> Iterator[bytes]:
    """Whichever of three bytes it begins at: without the digits that its neighbours change."""
    for text in (word, word.lower()):
        for before in range(3):
            digits = base64.b64encode(bytes(before) + text.encode())
            yield digits[-(-before * 8 // 6) : (before + len(text)) * 8 // 6]


def readable(path: Path) -> bytes:
    """A file's name and content; decompressed too where it is compressed."""
    data = path.read_bytes()
    with suppress(gzip.BadGzipFile):
        data += gzip.decompress(data)
    return data
