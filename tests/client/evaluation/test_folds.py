from __future__ import annotations

import pytest

from osteoserve_client.errors import FoldsError
from osteoserve_client.evaluation.folds import folds_of, read_folds


def table(tmp_path, text):
    path = tmp_path / "folds.csv"
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize(
    "text",
    [
        "study,fold\na,1\nb,10\nc,2\n",
        "\ufefffold,centre,study\r\n1,x,a\r\n10,x,b\r\n2,x,c\r\n",
    ],
)
def test_folds_stand_in_the_order_of_their_numbers(tmp_path, text):
    folds = read_folds(table(tmp_path, text))
    assert folds == {"a": "1", "b": "10", "c": "2"}
    assert folds_of(folds, ["c", "b", "a"]) == {"1": ("a",), "2": ("c",), "10": ("b",)}
    assert list(folds_of(folds, ["b"])) == ["10"]


def test_a_study_without_a_fold_is_refused():
    with pytest.raises(FoldsError, match=r"^x: "):
        folds_of({"a": "1"}, ["a", "x"])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "study,fold\n",
        "study,group\na,1\n",
        "study,fold\na,\n",
        "study,fold\na,1\na,2\n",
        "\xff",
    ],
)
def test_what_is_no_table_of_folds_is_refused(tmp_path, text):
    with pytest.raises(FoldsError, match=r"^folds\.csv: "):
        read_folds(table(tmp_path, text))


def test_an_absent_table_is_refused(tmp_path):
    with pytest.raises(FoldsError, match=r"^absent\.csv: "):
        read_folds(tmp_path / "absent.csv")
