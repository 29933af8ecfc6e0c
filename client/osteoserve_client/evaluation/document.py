"""An evaluation as one JSON document. Documented key by key in docs/evaluation.md."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from osteoserve_client.evaluation.evaluation import Evaluation
from osteoserve_client.evaluation.tables import FIGURES
from osteoserve_client.study import Json
from osteoserve_preprocessing.metrics import Confusion, Figures

#: Raised whenever a key is renamed, removed or changes its meaning; new keys do not raise it.
SCHEMA_VERSION: Final = 1


def evaluation_document(
    evaluation: Evaluation, *, model: str | None, ignored: int
) -> dict[str, Json]:
    """Everything that was found; an undefined figure is null.

    Args:
        evaluation: What was found.
        model: The served model that predicted; None where predictions were read from files.
        ignored: The value of references that was not counted.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "modality": "NM" if evaluation.planar else "CT",
        "model": model,
        "ignored_value": ignored,
        "unit": evaluation.unit,
        "studies": [
            {
                "study": study.study,
                "voxels": study.voxels,
                "labels": [_label(name, study.confusion(name)) for name in evaluation.labels],
            }
            for study in evaluation.studies
        ],
        "pooled": {
            "labels": [
                _label(name, counts)
                | {"dice_median_of_studies": _json(evaluation.median_dice(name))}
                for name, counts in evaluation.pooled.items()
            ],
            "averages": _averages(evaluation, evaluation.rows),
        },
        "folds": [
            {
                "fold": fold,
                "studies": list(evaluation.folds[fold]),
                "labels": [_named(name, rows[name]) for name in evaluation.labels],
                "averages": _averages(evaluation, rows),
            }
            for fold, rows in evaluation.rows_by_fold.items()
        ],
        "mean_of_folds": _mean_of_folds(evaluation),
        "agreement": [
            {
                "label": name,
                "absolute": _json(asdict(found.absolute)),
                "per_cent": _json(asdict(found.per_cent)),
            }
            for name, found in evaluation.agreement.items()
        ],
        "software": {"osteoserve": version("osteoserve"), "numpy": version("numpy")},
    }


def as_text(document: dict[str, Json]) -> str:
    """The document, indented."""
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)


def write_document(path: Path, document: dict[str, Json]) -> None:
    """Write ``evaluation.json``: UTF-8.

    Raises:
        OSError: The file could not be written.
    """
    path.write_text(as_text(document) + "\n", encoding="utf-8")


def _mean_of_folds(evaluation: Evaluation) -> Json:
    if not evaluation.folds:
        return None
    rows = evaluation.mean_of_folds
    return {
        "labels": [_named(name, rows[name]) for name in evaluation.labels],
        "averages": _averages(evaluation, rows),
    }


def _averages(evaluation: Evaluation, rows: dict[str, Figures]) -> list[Json]:
    return [_named(name, rows[name]) for name in rows if name not in evaluation.labels]


def _label(name: str, counts: Confusion) -> dict[str, Json]:
    return {"label": name, **asdict(counts), **_figures(Figures.of(counts))}


def _named(name: str, figures: Figures) -> dict[str, Json]:
    return {"label": name, **_figures(figures)}


def _figures(figures: Figures) -> dict[str, Json]:
    return {name: _json(getattr(figures, name)) for name in FIGURES}


def _json(value: Any) -> Json:
    if isinstance(value, dict):
        return {name: _json(each) for name, each in value.items()}
    if isinstance(value, float) and math.isnan(value):
        return None
    found: Json = value
    return found
