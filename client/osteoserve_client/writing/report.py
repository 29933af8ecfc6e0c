"""What was done, to what and with what, as JSON. Documented key by key in docs/output.md."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from google.protobuf.message import Message

from osteoserve_client.study import Json, Study
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb

#: Raised whenever a key is renamed, removed or changes its meaning; new keys do not raise it.
SCHEMA_VERSION = 1

#: Whose versions bear on what the files hold.
LIBRARIES = ("highdicom", "nibabel", "numpy", "pillow", "pydicom", "simpleitk")


def report_document(
    study: Study,
    report: pb.SegmentReport,
    *,
    created: datetime,
    outputs: Sequence[str],
    warnings: Sequence[str],
) -> dict[str, Json]:
    """Everything that ``report.json`` says; nothing of the patient.

    Args:
        study: What was segmented.
        report: The service's.
        created: When the outputs were written.
        outputs: Names of the files of this run.
        warnings: Of writing, one line each.
    """
    return envelope(
        report,
        {
            "input": _input(study, report),
            "preprocessing": _preprocessing(report.preprocessing),
            "labels": [_label(measure) for measure in report.labels],
        },
        created=created,
        outputs=outputs,
        warnings={
            "input": study.warnings,
            "service": report.preprocessing.warnings,
            "output": warnings,
        },
    )


def envelope(
    report: pb.SegmentReport | pb.ScintigramReport,
    content: Mapping[str, Json],
    *,
    created: datetime,
    outputs: Sequence[str],
    warnings: Mapping[str, Iterable[str]],
) -> dict[str, Json]:
    """What every report says, about ``content``.

    Args:
        report: The service's.
        content: What this kind of report says, by key.
        created: When the outputs were written.
        outputs: Names of the files of this run.
        warnings: One line each, by the stage that they come from.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "created": created.astimezone(UTC).isoformat(timespec="seconds"),
        "notice": "Automatic result. Not a medical device.",
        "request_id": report.request_id or None,
        "model": _model(report.model),
        **content,
        "stages": [{"stage": each.stage, "seconds": each.seconds} for each in report.stages],
        "warnings": [
            {"from": stage, "text": text} for stage, texts in warnings.items() for text in texts
        ],
        "outputs": list(outputs),
        "software": {
            "osteoserve": version("osteoserve"),
            "service": report.service_version or None,
            "python": platform.python_version(),
            **{name: version(name) for name in LIBRARIES},
        },
    }


def write_report(path: Path, document: dict[str, Json]) -> None:
    """Write ``report.json``: UTF-8, indented.

    Raises:
        OSError: The file could not be written.
    """
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def _model(model: pb.Model) -> dict[str, Json]:
    return {
        "name": model.name,
        "version": model.version,
        "sha256": model.digest,
        "precision": model.precision,
        "labels": [
            {
                "value": label.value,
                "name": label.name,
                "category": _code(label.category),
                "type": _code(label.type),
            }
            for label in model.labels
        ],
    }


def _code(code: pb.Code) -> dict[str, Json]:
    return {"value": code.value, "scheme": code.scheme, "meaning": code.meaning}


def _input(study: Study, report: pb.SegmentReport) -> dict[str, Json]:
    geometry = study.volume.geometry
    return {
        "source": study.source,
        "modality": study.modality,
        "shape_zyx": list(geometry.shape),
        "spacing_zyx_mm": list(geometry.spacing),
        "origin_lps_mm": list(geometry.origin),
        "direction_lps": geometry.direction.tolist(),
        "voxels_sha256": report.input_sha256.hex(),
        "acquisition": dict(study.description),
    }


def _preprocessing(preprocessing: pb.PreprocessingReport) -> dict[str, Json]:
    stretcher = preprocessing.stretcher
    return {
        "stretcher": {
            "method": _choice(pb.StretcherMethod.Name(stretcher.method), "STRETCHER_METHOD_"),
            "removed_voxels": stretcher.removed_voxels,
            "removed_ml": stretcher.removed_ml,
            "caution": stretcher.caution or None,
        },
        "window_hu": list(preprocessing.window_hu),
        "normalisation": _choice(
            pb.Normalisation.Name(preprocessing.normalisation), "NORMALISATION_"
        ),
        "clip_first": preprocessing.clip_first,
        "clip_end": preprocessing.clip_end,
    }


def _choice(name: str, prefix: str) -> str:
    return name.removeprefix(prefix).lower()


def _label(measure: pb.LabelMeasure) -> dict[str, Json]:
    return {
        "value": measure.value,
        "name": measure.name,
        "voxels": measure.voxels,
        "volume_ml": measure.millilitres,
        "mean_hu": optional(measure, "mean_hu"),
        "sd_hu": optional(measure, "sd_hu"),
        "first_slice": optional(measure, "first_slice"),
        "last_slice": optional(measure, "last_slice"),
    }


def optional(message: Message, field: str) -> Json:
    """A field's value; None where it is unset."""
    value: Json = getattr(message, field) if message.HasField(field) else None
    return value
