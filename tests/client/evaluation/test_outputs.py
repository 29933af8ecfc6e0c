from __future__ import annotations

import csv
import json

import pytest
from PIL import Image

from osteoserve_client.errors import OutputError
from osteoserve_client.evaluation import Evaluation, evaluation_document, write_evaluation
from osteoserve_client.evaluation.axes import Axis
from osteoserve_client.evaluation.comparison import StudyCounts
from osteoserve_client.evaluation.outputs import OUTPUT_NAMES
from osteoserve_client.evaluation.plot import draw_bland_altman
from osteoserve_preprocessing.metrics import Confusion


def evaluation(*, folds=True, studies=3):
    spine = [Confusion(60, 20, 40, 880), Confusion(90, 10, 10, 890), Confusion(80, 0, 0, 920)]
    kidney = Confusion(0, 0, 0, 1000)
    counts = tuple(
        StudyCounts("abc"[n], {"spine": spine[n], "kidney": kidney}, 1000, 0.5)
        for n in range(studies)
    )
    return Evaluation(counts, planar=True, folds={"1": ("a", "b"), "2": ("c",)} if folds else {})


def written(found, out):
    document = evaluation_document(found, model=None, ignored=255)
    return [path.name for path in write_evaluation(found, document, out)]


def rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_the_folds_are_laid_out_as_in_the_paper(tmp_path):
    assert written(evaluation(), tmp_path) == list(OUTPUT_NAMES)
    assert rows(tmp_path / "folds.csv") == [
        [
            "Category",
            *(
                f"{t} {c}"
                for t in ("Fold 1", "Fold 2", "Mean")
                for c in ("Precision", "Sensitivity", "F1")
            ),
        ],
        [
            "spine",
            "83.33",
            "75.00",
            "78.95",
            "100.00",
            "100.00",
            "100.00",
            "91.67",
            "87.50",
            "89.53",
        ],
        ["kidney", *[""] * 9],
        [
            "Average",
            "83.33",
            "75.00",
            "78.95",
            "100.00",
            "100.00",
            "100.00",
            "91.67",
            "87.50",
            "89.53",
        ],
        [
            "Average (w/o kidney)",
            *("83.33", "75.00", "78.95", "100.00", "100.00", "100.00", "91.67", "87.50", "89.53"),
        ],
    ]
    head, spine, *_ = rows(tmp_path / "folds_overlap.csv")
    assert head[1:5] == ["Fold 1 IoU (mask)", "Fold 1 IoU", "Fold 1 Dice (mask)", "Fold 1 Dice"]
    # 150, 30, 50, 1770: IoU 150 / 230 and 1770 / 1850; Dice 300 / 380 and 3540 / 3620.
    assert spine[1:5] == ["0.652", "0.804", "0.789", "0.884"]


def test_studies_and_pooled_counts_are_tables(tmp_path):
    written(evaluation(), tmp_path)
    head, first, *_ = rows(tmp_path / "per_study.csv")
    row = dict(zip(head, first, strict=True))
    assert (row["study"], row["fold"], row["label"]) == ("a", "1", "spine")
    assert (row["true_positive"], row["reference_cm2"], row["prediction_cm2"]) == (
        "60",
        "50.0000",
        "40.0000",
    )
    assert row["difference_cm2"] == "-10.0000"
    head, spine, kidney, average, _ = rows(tmp_path / "pooled.csv")
    assert dict(zip(head, spine, strict=True))["true_positive"] == "230"
    undefined = dict(zip(head, kidney, strict=True))
    assert (undefined["precision"], undefined["dice"], undefined["accuracy"]) == (
        "",
        "",
        "1.000000",
    )
    assert average[0] == "Average"


def test_json_says_null_where_a_figure_is_undefined(tmp_path):
    written(evaluation(), tmp_path)
    document = json.loads((tmp_path / "evaluation.json").read_text())
    spine, kidney = document["pooled"]["labels"]
    assert spine["iou"] == pytest.approx(230 / 310)
    assert (kidney["dice"], kidney["accuracy"]) == (None, 1.0)
    assert document["agreement"][0]["absolute"]["bias"] == pytest.approx(-10 / 3)
    assert document["folds"][0]["studies"] == ["a", "b"]
    assert document["mean_of_folds"]["labels"][0]["precision"] == pytest.approx(0.916667, abs=1e-6)


def test_agreement_stands_in_the_unit_and_in_per_cent(tmp_path):
    written(evaluation(), tmp_path)
    head, absolute, per_cent, kidney, _ = rows(tmp_path / "agreement.csv")
    found = dict(zip(head, absolute, strict=True))
    assert (found["unit"], found["studies"], found["bias"]) == ("cm²", "3", "-3.3333")
    assert dict(zip(head, per_cent, strict=True))["bias"] == "-7.4074"
    assert kidney == ["kidney", "cm²", "0", *[""] * 10]


def test_what_one_study_cannot_say_is_not_written(tmp_path):
    written(evaluation(), tmp_path)
    (tmp_path / "notes.txt").touch()
    names = written(evaluation(folds=False, studies=1), tmp_path)
    assert names == ["per_study.csv", "pooled.csv", "agreement.csv", "evaluation.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*names, "notes.txt"])


def test_all_files_appear_or_none(tmp_path):
    out = tmp_path / "out"
    (out / "evaluation.json").mkdir(parents=True)
    with pytest.raises(OutputError):
        written(evaluation(), out)
    assert [path.name for path in out.iterdir()] == ["evaluation.json"]


def test_the_plot_marks_bias_limits_and_studies():
    found = evaluation()
    picture = draw_bland_altman(found)
    assert isinstance(picture, Image.Image)
    colours = {colour for _, colour in picture.getcolors(1 << 20)}
    assert {(0, 90, 160), (190, 60, 20), (70, 75, 82)} <= colours


@pytest.mark.parametrize("low", [-1e5, -0.004, 0.0, 3.3, 812.0])
@pytest.mark.parametrize("span", [0.0, 0.003, 1.0, 77.7, 4e6])
def test_ticks_are_round_and_on_the_axis(low, span):
    axis = Axis.over([low, low + span], 300.0, 20.0)
    assert 20.0 < axis.pixel(low + span) <= axis.pixel(low) < 300.0
    ticks = axis.ticks()
    assert 2 <= len(ticks) <= 8
    for value, text in ticks:
        assert axis.low <= value <= axis.high
        assert float(text) == pytest.approx(value, abs=1e-9 * (abs(low) + span + 1))
