"""Which tracer a header codes, in the words of PS3.16 and not in its own."""

from __future__ import annotations

from collections.abc import Iterable

from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from osteoserve_client.errors import AcquisitionError
from osteoserve_client.reading.dicom.attributes import item, text
from osteoserve_client.reading.dicom.headers import DicomFile

#: Names that SNOMED's codes went by before "SCT" (PS3.16, section 8.1); they share their values.
_SNOMED_LEGACY = ("SRT", "SNM3", "99SDM")

TECHNETIUM = codes.cid18.concepts["_99mTechnetium"]


def stated_code(dataset: Dataset, keyword: str, name: str) -> Code | None:
    """The first item of a code sequence, compared as SNOMED CT; None when there is none.

    Its meaning is the header's own free text and not for messages.
    """
    found = item(dataset, keyword, name)
    if found is None:
        return None
    scheme = text(found, "CodingSchemeDesignator", name).upper()
    return Code(
        text(found, "CodeValue", name).upper(),
        "SRT" if scheme in _SNOMED_LEGACY else scheme,
        text(found, "CodeMeaning", name),
    )


def radionuclide(file: DicomFile) -> Code | None:
    """The radionuclide, if it is one of PS3.16 CID 18; None where nothing known is coded."""
    return _known(file, "RadionuclideCodeSequence", codes.cid18.concepts.values())


def radiopharmaceutical(file: DicomFile) -> Code | None:
    """The tracer, if it is one of PS3.16 CID 25; None where nothing known is coded."""
    return _known(file, "RadiopharmaceuticalCodeSequence", codes.cid25.concepts.values())


def check_tracer(file: DicomFile) -> None:
    """Refuses whole-body scans of another nuclide: of iodine for the thyroid, of indium, gallium.

    Raises:
        AcquisitionError: Another radionuclide than technetium-99m is coded.
    """
    found = radionuclide(file)
    if found is not None and found != TECHNETIUM:
        raise AcquisitionError(
            f"{file.name}: its radionuclide is {found.meaning}; bone scans are of technetium-99m"
        )


def _known(file: DicomFile, keyword: str, concepts: Iterable[Code]) -> Code | None:
    tracer = item(file.dataset, "RadiopharmaceuticalInformationSequence", file.name)
    stated = None if tracer is None else stated_code(tracer, keyword, file.name)
    if stated is None:
        return None
    return next((known for known in concepts if known == stated), None)
