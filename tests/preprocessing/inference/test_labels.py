from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osteoserve_preprocessing.errors import ContractError
from osteoserve_preprocessing.inference.labels import (
    Code,
    Label,
    labels_from_json,
    labels_to_json,
)

words = st.text(min_size=1)
codes = st.builds(Code, words, words, words)
labels = st.builds(Label, st.integers(1, 255), words, codes, codes)

GOOD = {
    "value": 1,
    "name": "skeleton",
    "category": ["123037004", "SCT", "Anatomical Structure"],
    "type": ["272673000", "SCT", "Bone"],
}


@given(st.lists(labels).map(tuple))
def test_what_is_written_reads_back_the_same(written: tuple[Label, ...]) -> None:
    assert labels_from_json(labels_to_json(written)) == written


@pytest.mark.parametrize(
    "change",
    [
        {"value": 0},
        {"value": 256},
        {"value": "1"},
        {"value": True},
        {"value": 1.0},
        {"name": ""},
        {"name": 3},
        {"category": ["1", "SCT"]},
        {"type": ["1", "SCT", ""]},
        {"type": None},
    ],
)
def test_an_impossible_label_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ContractError, match=r"osteoserve\.labels"):
        labels_from_json(json.dumps([GOOD | change]))


@pytest.mark.parametrize("key", sorted(GOOD))
def test_a_missing_key_is_refused(key: str) -> None:
    item = {name: value for name, value in GOOD.items() if name != key}
    with pytest.raises(ContractError, match=r"osteoserve\.labels"):
        labels_from_json(json.dumps([item]))


@pytest.mark.parametrize("text", ["", "{}x", "3", '"labels"', "[3]"])
def test_what_is_no_list_of_labels_is_refused(text: str) -> None:
    with pytest.raises(ContractError, match=r"osteoserve\.labels"):
        labels_from_json(text)
