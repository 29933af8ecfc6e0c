"""``osteoserve export`` and ``osteoserve parity``: from a checkpoint to a proven model folder."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from torch import nn

from osteoserve_export.architectures import find_architecture, size_multiple_of
from osteoserve_export.checkpoints import load_network
from osteoserve_export.conversion.model_files import ModelFiles, write_model_files
from osteoserve_export.errors import ArchitectureError, PublishError
from osteoserve_export.graphs.channels import input_channels
from osteoserve_export.graphs.segmentation import SegmentationGraph
from osteoserve_export.model_folder import new_model_folder
from osteoserve_export.parity.everywhere import compare_everywhere
from osteoserve_export.parity.proof import Expected, Row, check, expectations, least_agreeing
from osteoserve_export.parity.reference import Reference
from osteoserve_export.report import ExportReport, as_json, as_page, record
from osteoserve_export.specification import (
    ExportSpecification,
    read_specification,
    write_specification,
)
from osteoserve_export.trial_slices import trials
from osteoserve_preprocessing.inference.configuration import (
    ONNX_FILE,
    PlanFile,
    model_configurations,
)
from osteoserve_preprocessing.inference.contract import ModelContract

SPECIFICATION: Final = "export.toml"
REPORT, PAGE = "export_report.json", "export_report.md"
CARD: Final = "MODEL_CARD.md"

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class ExportRun:
    """One call of ``osteoserve export``.

    Args:
        asked: What to export, and how.
        weights: Checkpoint.
        repository: Triton model repository.
        studies: CT studies to prove parity on; phantoms without them.
        card: Model card to put beside the model.
    """

    asked: ExportSpecification
    weights: Path
    repository: Path
    studies: tuple[Path, ...] = ()
    card: Path | None = None


def export_model(run: ExportRun, *, say: Say) -> ExportReport:
    """Export a checkpoint, prove that it answers the same, and put it into a repository.

    Args:
        run: What to do.
        say: Called with each line of progress.

    Raises:
        ExportError: Of the kind that says what went wrong; the repository is as it was.
    """
    asked = run.asked
    network = _network(asked, run.weights)
    multiple = _size_multiple(asked, network)
    with new_model_folder(run.repository, asked.name, asked.version) as repository:
        model = repository / asked.name
        graph = _graph(network, asked)
        with tempfile.TemporaryDirectory(prefix="osteoserve-export-") as scratch:
            expected = _expected(network, asked, run.studies, multiple)
            files = write_model_files(
                graph,
                asked,
                model / str(asked.version),
                Path(scratch),
                size_multiple=multiple,
                calibration=(item.trial.slices for item in expected),
            )
            say(f"wrote {files.onnx.stat().st_size / 1e6:.1f} MB of ONNX; proving that it agrees")
            _configure(asked, model, files, multiple)
            rows = compare_everywhere(files, repository, expected, asked)
        check(rows, asked)
        report = ExportReport(
            asked=asked,
            weights=record(run.weights, run.weights.parent),
            parameters=sum(parameter.numel() for parameter in network.parameters()),
            folded=graph.folded,
            files=tuple(record(path, model) for path in sorted(files.onnx.parent.iterdir())),
            rows=rows,
            studies=tuple(path.name for path in run.studies),
            notes=_notes(asked, graph, files),
        )
        _write(report, model, run.card)
    for line in _summary(report):
        say(line)
    say(f"wrote {run.repository / asked.name}")
    return report


def prove_model(
    model: Path, weights: Path, studies: tuple[Path, ...] = (), *, say: Say
) -> tuple[Row, ...]:
    """Compare a model folder with the checkpoint it claims to be, without writing anything.

    Args:
        model: The folder, as ``osteoserve export`` wrote it.
        weights: Checkpoint.
        studies: CT studies to try; phantoms without them.
        say: Called with each line.

    Raises:
        ExportError: It does not agree, or something is missing.
    """
    asked = read_specification(model / SPECIFICATION, {})
    served = model / str(asked.version) / ONNX_FILE
    if not served.is_file():
        raise PublishError(f"{served} does not exist")
    network = _network(asked, weights)
    multiple = _size_multiple(asked, network)
    expected = _expected(network, asked, studies, multiple)
    with tempfile.TemporaryDirectory(prefix="osteoserve-parity-") as scratch:
        # By itself, so that no other model of the repository has to start.
        shutil.copytree(model, Path(scratch) / asked.name)
        files = ModelFiles(served, None, None)
        rows = compare_everywhere(files, Path(scratch), expected, asked)
    check(rows, asked)
    least = least_agreeing(rows)
    say(f"{len(rows)} comparisons agree; least Dice {least.dice:.6f} ({least.where})")
    return rows


def _network(asked: ExportSpecification, weights: Path) -> nn.Module:
    if find_architecture(asked.architecture).task == "detection":
        raise ArchitectureError(
            f"{asked.architecture} is a detector: the command exports networks for segmentation"
        )
    return load_network(weights, asked.architecture, asked.options)


def _size_multiple(asked: ExportSpecification, network: nn.Module) -> int:
    return asked.size_multiple or size_multiple_of(network)


def _graph(network: nn.Module, asked: ExportSpecification) -> SegmentationGraph:
    return SegmentationGraph(
        network,
        activation=asked.activation,
        threshold=asked.threshold,
        mean=asked.mean,
        std=asked.std,
        probabilities=asked.probabilities,
        space_to_depth=asked.space_to_depth,
        size_multiple=asked.size_multiple,
    )


def _expected(
    network: nn.Module, asked: ExportSpecification, studies: Sequence[Path], multiple: int
) -> tuple[Expected, ...]:
    reference = Reference(network, asked, channels=input_channels(network, size_multiple=multiple))
    return expectations(reference, trials(studies, asked, size_multiple=multiple), asked)


def _configure(asked: ExportSpecification, model: Path, files: ModelFiles, multiple: int) -> None:
    contract = ModelContract(
        name=asked.name,
        version=str(asked.version),
        modality="CT",
        labels=asked.labels,
        window=asked.window,
        normalisation=asked.normalisation,
        pixel_spacing_mm=asked.pixel_spacing_mm,
        pixel_spacing_range_mm=asked.pixel_spacing_range_mm,
        size_multiple=multiple,
        digest=record(files.onnx, model).sha256,
        precision="fp32",
        file_precision=asked.precision,
        max_batch=asked.max_batch,
    )
    texts = model_configurations(
        contract,
        probabilities=asked.output_channels if asked.probabilities else 0,
        # Strongly typed: the plan computes in the types of the file.
        plan=PlanFile(files.plan.sha256, asked.precision) if files.plan else None,
    )
    for name, text in texts.items():
        (model / name).parent.mkdir(exist_ok=True)
        (model / name).write_text(text, encoding="utf-8")


def _notes(
    asked: ExportSpecification, graph: SegmentationGraph, files: ModelFiles
) -> tuple[str, ...]:
    local = [label.name for label in asked.labels if label.type.scheme.startswith("99")]
    notes = ["Compared on CPUs: the gpu and tensorrt profiles have not been run."]
    if files.plan:
        plan, gpu = files.plan, files.plan.gpu
        notes = [
            f"TensorRT {plan.tensorrt} plan for {gpu.name} (compute capability "
            f"{gpu.compute_capability}, driver {gpu.driver}), {plan.layers} layers, built in "
            f"{plan.seconds:.0f} s. It runs on this GPU with this TensorRT only."
        ]
    if files.quantisation:
        kept = len(files.quantisation.fp32)
        notes.append(
            f"Convolutions in int8: {len(files.quantisation.int8)}; {kept} stayed fp32, since the "
            "labels suffered."
        )
    if local:
        notes.append(f"Labels without a standard code: {', '.join(local)}.")
    if graph.folding.reason:
        notes.append(f"Batch normalisation was not folded: {graph.folding.reason}.")
    if graph.folding.kept:
        notes.append(f"Batch normalisations left as they are: {', '.join(graph.folding.kept)}.")
    return tuple(notes)


def _write(report: ExportReport, model: Path, card: Path | None) -> None:
    lines = ["background", *(label.name for label in report.asked.labels)]
    (model / "labels.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (model / SPECIFICATION).write_text(write_specification(report.asked), encoding="utf-8")
    (model / REPORT).write_text(as_json(report), encoding="utf-8")
    (model / PAGE).write_text(as_page(report), encoding="utf-8")
    if card:
        shutil.copyfile(card, model / CARD)


def _summary(report: ExportReport) -> list[str]:
    least = report.least
    error = report.logit_error
    return [
        f"least Dice against PyTorch {least.dice:.6f} ({least.where}), "
        f"{report.asked.required_dice} needed",
        *([f"logits within {error:.1e} of the largest"] if error is not None else []),
    ]
