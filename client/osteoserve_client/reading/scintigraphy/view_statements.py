"""What a header says of from where a frame shows the patient: by codes, and against its words.

PS3.3 C.8.4.11: View Code Sequence (0054,0220) of the detector that made the frame. Some writers
put it at the top level instead, one item for each frame.
"""

from __future__ import annotations

import re

from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from osteoserve_client.errors import ViewError
from osteoserve_client.reading.dicom.attributes import items, text
from osteoserve_client.reading.dicom.headers import DicomFile
from osteoserve_client.reading.scintigraphy.tracers import stated_code
from osteoserve_client.scintigram import View

#: PS3.16 CID 26. Before SNOMED CT these were SRT G-5215 and G-5216.
_VIEWS: tuple[tuple[Code, View], ...] = (
    (codes.cid26.AnteriorProjection, "anterior"),
    (codes.cid26.PosteriorProjection, "posterior"),
)
#: All SNOMED schemes: a code of theirs that is no view above is another projection. Codes of other
#: schemes are a vendor's own and say nothing.
_SNOMED = ("SCT", "SRT")
#: Antero- and postero-anterior: the way of an X-ray beam, which leaves open on which side an
#: emission's detector stood (retired from CID 26 for that reason; and their X-ray kin).
_BEAM_DIRECTIONS = frozenset(
    ("G-5200", "G-5201", "R-10206", "R-10214", "399348003", "399066004", "272479007")
)

#: Where people write the view as they like.
_FREE_TEXT = ("ImageID", "SeriesDescription", "ViewPosition")
_WORDS: dict[str, View] = {
    "ANT": "anterior",
    "ANTERIOR": "anterior",
    "POST": "posterior",
    "POSTERIOR": "posterior",
}
#: After "post" these speak of time.
_AFTERWARDS = frozenset(
    (
        *("INJ", "INJECTION", "INJECTED", "OP", "OPERATIVE", "SURGERY", "SURGICAL", "THERAPY"),
        *("TREATMENT", "CHEMO", "CHEMOTHERAPY", "RADIATION", "RADIOTHERAPY", "RT", "TRAUMA"),
        *("VOID", "VOIDING", "MICTURITION", "MENOPAUSAL", "CONTRAST", "DOSE", "PROCEDURE"),
    )
)


def coded_view(dataset: Dataset, name: str) -> View | None:
    """The view that a dataset's first View Code Sequence item states.

    Args:
        dataset: A detector's item, or a whole header.
        name: How messages call the frame.

    Returns:
        None where there is no code, or none that says on which side the detector stood.

    Raises:
        ViewError: The code is of another projection, or its own meaning contradicts it.
    """
    stated = stated_code(dataset, "ViewCodeSequence", name)
    if stated is None or stated.value in _BEAM_DIRECTIONS:
        return None
    if stated.scheme_designator not in _SNOMED:
        return None
    view = next((view for code, view in _VIEWS if code == stated), None)
    if view is None:
        raise ViewError(
            f"{name}: its View Code Sequence states neither an anterior nor a posterior view"
        )
    if worded_views(stated.meaning) - {view}:
        raise ViewError(
            f"{name}: its View Code Sequence has the code of one view, the words of another"
        )
    return view


def views_of_frames(file: DicomFile, frames: int) -> tuple[View | None, ...]:
    """What the top level's View Code Sequence says of each frame.

    Raises:
        ViewError: As ``coded_view``; or there are as many items as fit no number of frames.
    """
    stated = items(file.dataset, "ViewCodeSequence", file.name)
    if not stated:
        return (None,) * frames
    if len(stated) != frames:
        raise ViewError(f"{file.name}: states {len(stated)} views for {frames} frames")
    found = []
    for each in stated:
        single = Dataset()
        single.ViewCodeSequence = [each]
        found.append(coded_view(single, file.name))
    return tuple(found)


def worded_views(words: str) -> frozenset[View]:
    """The views that free text names, in English abbreviations; "post injection" is none."""
    each = [word for word in re.split(r"[^A-Z]+", words.upper()) if word]
    return frozenset(
        _WORDS[word]
        for word, following in zip(each, [*each, ""][1:], strict=True)
        if word in _WORDS and not (word == "POST" and following in _AFTERWARDS)
    )


def check_words(file: DicomFile, views: frozenset[View]) -> None:
    """Refuses free text that names only another view than the file holds.

    Free text is no evidence of a view, but of a contradiction: a copy relabelled, a name mistyped.

    Args:
        file: The file.
        views: What it holds, by its codes or by what was said.

    Raises:
        ViewError: It contradicts. The message names the attribute and not its words.
    """
    for keyword in _FREE_TEXT:
        named = worded_views(text(file.dataset, keyword, file.name))
        if named and not named & views:
            raise ViewError(
                f"{file.name}: is the {' and '.join(sorted(views))} view, but its {keyword} names "
                f"the {' and '.join(sorted(named))} one"
            )
