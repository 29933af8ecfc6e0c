"""What an export says of itself: one JSON document, and the same as a page to read."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from osteoserve_export.parity.proof import Row, least_agreeing
from osteoserve_export.specification import LEAST_DICE, LOGIT_TOLERANCE, ExportSpecification

#: Packages whose version a result may depend on.
PACKAGES: Final = ("osteoserve", "torch", "onnx", "onnxscript", "onnxruntime", "openvino", "numpy")


@dataclass(frozen=True)
class FileRecord:
    """One file of the model.

    Args:
        path: Relative to the model's folder.
        size: Bytes.
        sha256: Hexadecimal digest.
    """

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class ExportReport:
    """What was exported from what, and how well it agrees.

    Args:
        asked: The specification.
        weights: The checkpoint.
        parameters: Number of the network's parameters.
        folded: Batch normalisations that were folded into convolutions.
        files: The files that are served.
        rows: Every comparison.
        studies: What was tried, as given on the command line; empty for phantoms.
        notes: What a reader should know, one line each.
    """

    asked: ExportSpecification
    weights: FileRecord
    parameters: int
    folded: int
    files: tuple[FileRecord, ...]
    rows: tuple[Row, ...]
    studies: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def least(self) -> Row:
        """The comparison that agrees least."""
        return least_agreeing(self.rows)

    @property
    def logit_error(self) -> float | None:
        """Largest relative difference of a logit; None where no logits were compared."""
        errors = [row.logit_error for row in self.rows if row.logit_error is not None]
        return max(errors, default=None)


def record(path: Path, root: Path) -> FileRecord:
    """Size and digest of a file."""
    content = path.read_bytes()
    return FileRecord(
        path.relative_to(root).as_posix(), len(content), hashlib.sha256(content).hexdigest()
    )


def as_json(report: ExportReport) -> str:
    """The report as JSON text."""
    document: dict[str, Any] = {
        "model": report.asked.name,
        "version": report.asked.version,
        "architecture": report.asked.architecture,
        "precision": report.asked.precision,
        "parameters": report.parameters,
        "batch_normalisations_folded": report.folded,
        "weights": asdict(report.weights),
        "files": [asdict(file) for file in report.files],
        "parity": {
            "required_dice": report.asked.required_dice,
            "default_required_dice": LEAST_DICE[report.asked.precision],
            "logit_tolerance": report.asked.logit_tolerance,
            "default_logit_tolerance": LOGIT_TOLERANCE,
            "least_dice": report.least.dice,
            "largest_logit_error": report.logit_error,
            "comparisons": [asdict(row) for row in report.rows],
        },
        "studies": list(report.studies) or "phantoms",
        "recompute": recompute(report),
        "notes": list(report.notes),
        "software": software(),
        "machine": machine(),
    }
    return json.dumps(document, indent=2) + "\n"


def as_page(report: ExportReport) -> str:
    """The report as a Markdown page."""
    asked = report.asked
    lines = [
        f"# Export of {asked.name}, version {asked.version}",
        "",
        f"`{asked.architecture}`, {report.parameters:,} parameters, exported in {asked.precision} "
        f"from `{report.weights.path}` (SHA-256 `{report.weights.sha256}`).",
        "",
        *[f"- {note}" for note in _facts(report)],
        "",
        "## Files",
        "",
        "| file | bytes | SHA-256 |",
        "| --- | ---: | --- |",
        *[f"| `{file.path}` | {file.size:,} | `{file.sha256}` |" for file in report.files],
        "",
        "## Agreement with PyTorch",
        "",
        "| runtime | study | slices | batch | label | pixels | Dice | logits |",
        "| --- | --- | --- | ---: | --- | ---: | ---: | ---: |",
        *[_row(row) for row in report.rows],
        "",
        "## To recompute this",
        "",
        "```sh",
        *recompute(report),
        "```",
        "",
        "## Where",
        "",
        *[f"- {name} {number}" for name, number in software().items()],
        *[f"- {name}: {value}" for name, value in machine().items()],
        "",
    ]
    return "\n".join(lines)


def recompute(report: ExportReport) -> list[str]:
    """Commands that check the claims again, run beside the model's folder."""
    studies = [word for study in report.studies for word in ("--study", study)]
    parity = ["osteoserve", "parity", report.asked.name, "--weights", report.weights.path, *studies]
    digests = [shlex.join(["sha256sum", f"{report.asked.name}/{f.path}"]) for f in report.files]
    return [shlex.join(parity), *digests]


def software() -> Mapping[str, str]:
    """Versions of everything that a result may depend on."""
    return {"Python": platform.python_version()} | {name: version(name) for name in PACKAGES}


def machine() -> Mapping[str, str]:
    """The processor, without the machine's name."""
    return {
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "system": f"{platform.system()} {platform.machine()}",
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _facts(report: ExportReport) -> Sequence[str]:
    asked, least = report.asked, report.least
    facts = [
        f"Least Dice against PyTorch: {least.dice:.6f} ({least.where}); "
        f"required: {asked.required_dice}"
        + _changed(asked.required_dice, LEAST_DICE[asked.precision]),
    ]
    if report.logit_error is not None:
        facts.append(
            f"Largest difference of a logit, relative to the largest: {report.logit_error:.1e}; "
            f"allowed: {asked.logit_tolerance}" + _changed(asked.logit_tolerance, LOGIT_TOLERANCE)
        )
    facts.append(f"Batch normalisations folded into convolutions: {report.folded}.")
    return [*facts, *report.notes]


def _changed(value: float, default: float) -> str:
    return "." if value == default else f" (**changed by the user**; the default is {default})."


def _row(row: Row) -> str:
    shape = "x".join(map(str, row.shape))
    error = "" if row.logit_error is None else f"{row.logit_error:.1e}"
    return (
        f"| {row.runtime} | {row.study} | {shape} | {row.batch} | {row.label} | {row.pixels:,} | "
        f"{row.dice:.6f} | {error} |"
    )
