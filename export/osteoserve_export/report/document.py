"""The report of an export as JSON and as a Markdown page."""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict, dataclass
from typing import Any

from osteoserve_export.parity.proof import SegmentationProof
from osteoserve_export.report.agreement import facts, figures, tables
from osteoserve_export.report.records import FileRecord, machine, software
from osteoserve_export.specification import ExportSpecification
from osteoserve_export.tasks.task import Proof


@dataclass(frozen=True, kw_only=True)
class ExportReport:
    """What was exported from what, and how well it agrees.

    Args:
        weights: The checkpoint.
        parameters: Number of the network's parameters.
        folded: Batch normalisations that were folded into convolutions.
        files: The files that are served.
        proof: What was asked for, and every comparison.
        in_bf16: The same by the profile "bf16"; None where there is none.
        studies: What was tried, as given on the command line; empty for phantoms.
        notes: What a reader should know, one line each.
    """

    weights: FileRecord
    parameters: int
    folded: int
    files: tuple[FileRecord, ...]
    proof: Proof
    in_bf16: SegmentationProof | None = None
    studies: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def asked(self) -> ExportSpecification:
        """The specification."""
        return self.proof.asked

    @property
    def facts(self) -> list[str]:
        """The worst comparisons, and what was required, in words."""
        in_bf16 = [] if self.in_bf16 is None else facts(self.in_bf16)
        return [*facts(self.proof), *(f"In bf16: {fact}" for fact in in_bf16)]


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
        "parity": figures(report.proof),
        "parity_in_bf16": None if report.in_bf16 is None else figures(report.in_bf16),
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
        *[f"- {fact}" for fact in (*report.facts, *report.notes)],
        "",
        "## Files",
        "",
        "| file | bytes | SHA-256 |",
        "| --- | ---: | --- |",
        *[f"| `{file.path}` | {file.size:,} | `{file.sha256}` |" for file in report.files],
        "",
        "## Agreement with PyTorch",
        "",
        *tables(report.proof),
        "",
        *_in_bf16(report),
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


def _in_bf16(report: ExportReport) -> list[str]:
    if report.in_bf16 is None:
        return []
    return [
        "## Agreement in bf16",
        "",
        "By the profile `bf16`, which a service takes on a CPU that computes in it unless told "
        "otherwise (`osteoserve serve --profile cpu` is fp32), on the studies:",
        "",
        *tables(report.in_bf16),
        "",
    ]


def recompute(report: ExportReport) -> list[str]:
    """Commands that check the claims again, run beside the model's folder."""
    studies = [word for study in report.studies for word in ("--study", study)]
    parity = ["osteoserve", "parity", report.asked.name, "--weights", report.weights.path, *studies]
    digests = [shlex.join(["sha256sum", f"{report.asked.name}/{f.path}"]) for f in report.files]
    return [shlex.join(parity), *digests]
