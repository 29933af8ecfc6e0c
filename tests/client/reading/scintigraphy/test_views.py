"""Each frame is the view that it states or that was said; nothing is guessed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import osteoserve_client.errors as errors
from osteoserve_client.reading.scintigraphy.views import CHOICES, StoredFrame, place_views, views_of
from osteoserve_client.scintigram import VIEWS

SHAPE = (1024, 256)
WIDE = (1024, 512)


def frames(*stated: str | None, shape: tuple[int, int] = SHAPE) -> list[StoredFrame]:
    return [StoredFrame(f"frame {n}", shape, view) for n, view in enumerate(stated)]


@given(st.permutations(VIEWS), st.booleans(), st.booleans())
def test_two_frames_are_what_they_state_or_what_was_said(order, first_states, option_given) -> None:
    stated = [order[0] if first_states else None, order[1] if not option_given else None]
    option = ",".join(order) if option_given or not first_states else None

    placed = place_views(frames(*stated), option)

    assert [each.view for each in placed] == list(VIEWS)
    assert [order[each.frame] for each in placed] == list(VIEWS)
    assert {each.first_column for each in placed} == {0}


@pytest.mark.parametrize("order", [VIEWS, VIEWS[::-1]])
def test_halves_of_one_frame_are_named_from_left_to_right(order) -> None:
    placed = place_views(frames(None, shape=WIDE), ",".join(order))

    assert [each.view for each in placed] == list(VIEWS)
    assert {each.view: each.first_column for each in placed} == {order[0]: 0, order[1]: 256}
    assert {each.columns for each in placed} == {256}


@pytest.mark.parametrize("option", CHOICES)
def test_an_option_is_read_with_any_blanks_and_case(option: str) -> None:
    assert views_of(option.upper().replace(",", " , ")) == tuple(option.split(","))


@pytest.mark.parametrize(
    ("stated", "option", "shape", "error", "words"),
    [
        ([None], None, SHAPE, errors.ViewChoiceError, "--view anterior or --view posterior"),
        ([None, None], None, SHAPE, errors.ViewChoiceError, "--view anterior,posterior or"),
        (["anterior", None], None, SHAPE, errors.ViewChoiceError, "frame 1"),
        (["anterior"], "posterior", SHAPE, errors.ViewError, "frame 0: states that it is the ant"),
        (["posterior", "anterior"], "anterior,posterior", SHAPE, errors.ViewError, "frame 0"),
        (["anterior", "anterior"], None, SHAPE, errors.ViewError, "both the anterior"),
        (["anterior", None], "anterior", SHAPE, errors.ViewError, "names 1 view"),
        ([None, None, None], "anterior", SHAPE, errors.ViewError, "3 frames"),
        ([None], "anterior,posterior", SHAPE, errors.ViewError, "do not hold two views"),
        ([None], "anterior,posterior", (1024, 513), errors.ViewError, "do not hold two views"),
        (["anterior"], "anterior,posterior", WIDE, errors.ViewError, "one view, anterior, not two"),
        ([None], "front", SHAPE, errors.UsageError, "choose one of"),
        ([None], "anterior,anterior", SHAPE, errors.UsageError, "choose one of"),
    ],
)
def test_what_is_open_or_contradictory_is_refused(stated, option, shape, error, words) -> None:
    with pytest.raises(error, match=words) as raised:
        place_views(frames(*stated, shape=shape), option)
    assert raised.type is error
