"""``osteoserve evaluate`` as it is typed."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner

from osteoserve_client.cli.evaluate import evaluate
from osteoserve_client.errors import (
    FoldsError,
    GridMismatchError,
    InputNotFoundError,
    StudyMatchError,
)
from osteoserve_client.evaluation.outputs import OUTPUT_NAMES
from osteoserve_client.phantom.scintigraphy import REGIONS, make_scintigraphy_phantom, write_labels
from osteoserve_preprocessing.geometry import Geometry
from tests.client.evaluation.label_files import (
    SHAPE,
    geometry,
    random_labels,
    write_views,
    write_volume,
)


def run(*arguments):
    return CliRunner().invoke(evaluate, [str(each) for each in arguments])


def document(*arguments):
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def studies(tmp_path):
    """Three CT studies, the predictions laid out as ``osteoserve segment`` does."""
    for n, name in enumerate(("a", "b", "c")):
        write_volume(tmp_path / "ref" / f"{name}.nii.gz", random_labels(n))
        write_volume(tmp_path / "pred" / name / "skeleton.nii.gz", random_labels(n + 10))
    return tmp_path


def test_a_ct_is_compared_and_written(studies):
    out = studies / "out"
    (studies / "folds.csv").write_text("study,fold\na,1\nb,2\nc,2\n")
    result = run(
        *("--references", studies / "ref", "--predictions", studies / "pred"),
        *("--labels", "pelvis,femora", "--folds", studies / "folds.csv", "-o", out),
    )
    assert result.exit_code == 0, result.output
    assert "pelvis" in result.stdout
    assert [line for line in result.stdout.splitlines() if line.startswith(str(out))] == [
        str(out / name) for name in OUTPUT_NAMES
    ]
    assert sorted(path.name for path in out.iterdir()) == sorted(OUTPUT_NAMES)


def test_figures_are_those_of_the_arrays(studies):
    found = document("--references", studies / "ref", "--predictions", studies / "pred")
    assert [study["study"] for study in found["studies"]] == ["a", "b", "c"]
    true = np.stack([random_labels(n) for n in range(3)])
    predicted = np.stack([random_labels(n + 10) for n in range(3)])
    for label, figures in zip((1, 2), found["pooled"]["labels"], strict=True):
        both = np.count_nonzero((true == label) & (predicted == label))
        assert figures["label"] == f"label {label}"
        assert figures["precision"] == pytest.approx(both / np.count_nonzero(predicted == label))
        assert figures["sensitivity"] == pytest.approx(both / np.count_nonzero(true == label))
        # Milara 2024, equations 5 to 7, for the mask and for what is not the mask.
        either = np.count_nonzero(true == label) + np.count_nonzero(predicted == label)
        outside = np.count_nonzero((true != label) & (predicted != label))
        background = 2 * outside / (2 * true.size - either)
        assert figures["dice_mean"] == pytest.approx((2 * both / either + background) / 2)


def test_formats_axes_and_folders_do_not_change_the_result(studies, tmp_path):
    expected = document("--references", studies / "ref", "--predictions", studies / "pred")
    turned = Geometry(
        SHAPE[::-1],
        geometry().spacing[::-1],
        geometry().origin,
        np.fliplr(np.eye(3)),
    )
    for n, name in enumerate(("a", "b", "c")):
        labels = np.ascontiguousarray(random_labels(n).T)
        write_volume(tmp_path / "turned" / name / "labels.nrrd", labels, turned)
        write_volume(tmp_path / "raw" / f"{name}.mha", random_labels(n + 10))
    found = document("--references", tmp_path / "turned", "--predictions", tmp_path / "raw")
    assert found == expected


def test_a_phantom_bone_scan_is_compared_with_predictions(tmp_path):
    phantom = make_scintigraphy_phantom(1)
    write_labels(phantom, tmp_path / "p" / "labels")
    moved = {view: np.roll(labels, 2, axis=0) for view, labels in phantom.labels.items()}
    write_views(tmp_path / "out", **moved)
    found = document("--references", tmp_path / "p", "--predictions", tmp_path / "out")
    assert (found["modality"], found["unit"]) == ("NM", "cm²")
    assert [label["label"] for label in found["pooled"]["labels"]] == list(REGIONS)
    true = np.stack([phantom.labels[view] for view in phantom.labels])
    predicted = np.stack([moved[view] for view in phantom.labels])
    for label, figures in enumerate(found["pooled"]["labels"], start=1):
        both = np.count_nonzero((true == label) & (predicted == label))
        assert figures["precision"] == pytest.approx(both / np.count_nonzero(predicted == label))
    assert [row["label"] for row in found["pooled"]["averages"]] == [
        "Average",
        "Average (w/o kidney)",
    ]


def test_a_perfect_prediction_is_perfect(studies):
    found = document("--references", studies / "ref", "--predictions", studies / "ref")
    for label in found["pooled"]["labels"]:
        assert (label["dice"], label["iou_mean"], label["f1"]) == (1, 1, 1)
    for agreement in found["agreement"]:
        assert (agreement["absolute"]["bias"], agreement["absolute"]["sd"]) == (0, 0)


def test_predictions_without_a_reference_are_named(studies):
    write_volume(studies / "pred" / "d.nii.gz", random_labels(9))
    result = run("--references", studies / "ref", "--predictions", studies / "pred")
    assert result.exit_code == 0
    assert "note: left out, for they have no reference: d" in result.stderr


@pytest.mark.parametrize(
    ("change", "error", "code"),
    [
        (lambda folder: (folder / "pred" / "b" / "skeleton.nii.gz").unlink(), StudyMatchError, 3),
        (lambda folder: (folder / "folds.csv").write_text("study,fold\na,1\n"), FoldsError, 3),
        (
            lambda folder: write_volume(
                folder / "pred" / "b" / "skeleton.nii.gz",
                random_labels(1),
                Geometry(SHAPE, (2.5, 0.75, 0.5), (0.0, 0.0, 0.0)),
            ),
            GridMismatchError,
            3,
        ),
        (lambda folder: (folder / "ref").rename(folder / "gone"), InputNotFoundError, 2),
    ],
    ids=["unmatched", "fold", "grid", "absent"],
)
def test_what_cannot_be_compared_is_refused_in_one_line(studies, change, error, code):
    (studies / "folds.csv").write_text("study,fold\na,1\nb,2\nc,3\n")
    change(studies)
    result = run(
        *("--references", studies / "ref", "--predictions", studies / "pred"),
        *("--folds", studies / "folds.csv", "-o", studies / "out"),
    )
    assert isinstance(result.exception, error)
    assert result.exception.exit_code == code
    assert "\n" not in str(result.exception)
    assert not (studies / "out").exists()


@pytest.mark.parametrize("extra", [(), ("--predictions", "p", "--model", "m")])
def test_one_source_of_predictions_is_needed(tmp_path, extra):
    result = run("--references", tmp_path, *extra)
    assert result.exit_code == 2
    assert "either --predictions or --model" in result.output
