from __future__ import annotations

import pytest

from osteoserve_client.errors import UnreadableFileError, UsageError
from osteoserve_client.evaluation.names import distinct, parse_names, reported_names


def test_names_are_a_list_or_a_file(tmp_path):
    expected = {1: "skull", 2: "spine"}
    assert parse_names("skull, spine") == expected
    assert parse_names("background,skull,spine") == expected
    (tmp_path / "labels.txt").write_text("background\nskull\nspine\n")
    assert parse_names(str(tmp_path / "labels.txt")) == expected


@pytest.mark.parametrize("given", ["", "a,,b", "background", "absent.txt", ",".join(["a"] * 256)])
def test_what_names_nothing_is_refused(given):
    with pytest.raises(UsageError, match="--labels"):
        parse_names(given)


def test_a_report_beside_a_label_map_names_its_values(tmp_path):
    assert reported_names(tmp_path, "a") == {}
    report = tmp_path / "report.json"
    report.write_text('{"model": {"labels": [{"value": 3, "name": "pelvis"}]}}')
    assert reported_names(tmp_path, "a") == {3: "pelvis"}
    report.write_text("{}")
    with pytest.raises(UnreadableFileError, match=r"^a: the report\.json"):
        reported_names(tmp_path, "a")


def test_spelling_makes_no_second_label():
    assert distinct(["Left Femur", "left_femur", "LEFT-FEMUR", "femur"]) == ("Left Femur", "femur")
