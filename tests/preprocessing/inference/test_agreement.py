import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osteoserve_preprocessing.core import Normalisation, Window
from osteoserve_preprocessing.inference import Code, Label, SegmentationContract
from osteoserve_preprocessing.inference.agreement import agreed, difference

BONE = Label(1, "bone", Code("1", "SCT", "Anatomical"), Code("2", "SCT", "Bone"))


def contract(digit: int) -> SegmentationContract:
    return SegmentationContract(
        name="box",
        version="1",
        modality="CT",
        labels=(BONE,),
        window=Window(),
        normalisation=Normalisation.INTERPATIENT,
        pixel_spacing_mm=1.0,
        pixel_spacing_range_mm=(0.5, 1.5),
        size_multiple=16,
        digest=str(digit) * 64,
        precision="fp32",
        max_batch=16,
    )


STATED = st.lists(st.integers(0, 3).map(contract), min_size=1, max_size=7)


@given(stated=STATED, in_use=st.none() | st.integers(0, 3).map(contract))
def test_most_decide_and_a_draw_changes_nothing(stated, in_use):
    chosen = agreed(stated, in_use)
    assert chosen in stated
    assert all(stated.count(chosen) >= stated.count(other) for other in stated)
    if in_use in stated and stated.count(in_use) == stated.count(chosen):
        assert chosen == in_use
    assert agreed(stated, chosen) == chosen


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"digest": "5" * 64}, "digest (555555555555 instead of 111111111111)"),
        ({"window": Window(0, 500)}, "window"),
        ({"version": "2", "precision": "bf16"}, "version, precision"),
    ],
)
def test_the_log_says_what_differs(changes, words):
    assert difference(dataclasses.replace(contract(1), **changes), contract(1)) == words
