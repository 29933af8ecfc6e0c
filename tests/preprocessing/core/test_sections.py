"""Sections of a volume: every slice that holds anything is in one, wherever requests are cut."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from osteoserve_preprocessing.core.sections import SECTION, sections

filled_slices = st.lists(st.booleans(), max_size=5 * SECTION)


def volume(filled: list[bool]) -> np.ndarray:
    slices = np.zeros((len(filled), 4, 5), np.uint8)
    slices[np.array(filled, bool), 2, 3] = 1
    return slices


@given(filled_slices)
def test_each_slice_that_holds_anything_is_in_one_section(filled: list[bool]) -> None:
    dealt = sections(volume(filled))
    together = np.concatenate([np.empty(0, np.intp), *dealt])
    assert np.array_equal(together, np.flatnonzero(filled))
    for section in dealt:
        assert len(section) > 0
        assert len(set(section // SECTION)) == 1, "and its neighbours only"


@given(filled_slices, filled_slices)
def test_a_section_does_not_depend_on_the_others(first: list[bool], then: list[bool]) -> None:
    first += [False] * (-len(first) % SECTION)
    both = sections(volume(first + then))
    apart = sections(volume(first)) + [len(first) + part for part in sections(volume(then))]
    assert [list(part) for part in both] == [list(part) for part in apart]


def test_a_volume_without_slices_has_no_sections() -> None:
    assert sections(volume([])) == []
