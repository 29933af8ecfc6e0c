"""Sections of a volume: every slice is in one, wherever requests are cut."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from osteoserve_preprocessing.core import Section, in_plane_sampling, spans
from osteoserve_preprocessing.core.sampling import InPlaneSampling
from osteoserve_preprocessing.core.sections import SECTION
from osteoserve_preprocessing.geometry import Geometry

ROWS, COLUMNS = 40, 30


def sampling() -> InPlaneSampling:
    return in_plane_sampling(
        Geometry((1, ROWS, COLUMNS), (1.0, 1.0, 1.0)),
        nominal_mm=1.0,
        range_mm=(1.0, 1.0),
        size_multiple=8,
        cut_to_body=True,
    )


@given(st.integers(0, 100), st.integers(0, 100))
def test_every_slice_is_in_one_section_with_its_neighbours(first: int, count: int) -> None:
    dealt = spans(range(first, first + count))
    assert [k for span in dealt for k in span] == list(range(first, first + count))
    assert all(0 < len(span) <= SECTION for span in dealt)


@given(st.integers(0, 5), st.integers(0, 50))
def test_a_section_does_not_depend_on_those_behind_it(whole: int, further: int) -> None:
    first = spans(range(whole * SECTION))
    assert spans(range(whole * SECTION + further))[: len(first)] == first


@given(st.lists(st.booleans(), min_size=1, max_size=SECTION))
def test_slices_that_hold_something_are_seen_and_the_others_get_no_label(
    filled: list[bool],
) -> None:
    grey = np.zeros((len(filled), ROWS, COLUMNS), np.uint8)
    grey[np.array(filled), 20, 10] = np.flatnonzero(filled) + 1
    section = Section(grey, sampling())
    assert len(section.seen) == sum(filled)
    assert [int(seen.max()) for seen in section.seen] == list(np.flatnonzero(filled) + 1)
    # A network that labels whatever is not air, with the slice's own number.
    assert np.array_equal(section.labels(section.seen, SECTION), grey)
