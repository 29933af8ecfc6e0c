"""``osteoserve export`` and ``osteoserve parity``: from a checkpoint to a proven model folder."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from google.protobuf import text_format

from osteoserve_export.conversion.model_files import ModelFiles
from osteoserve_export.errors import ParityError, PublishError, UnavailableError
from osteoserve_export.model_folder import new_model_folder
from osteoserve_export.parity.proof import SegmentationProof
from osteoserve_export.report import ExportReport, as_json, as_page, record
from osteoserve_export.report.agreement import facts
from osteoserve_export.specification import (
    ExportSpecification,
    read_specification,
    write_specification,
)
from osteoserve_export.tasks import Task, task_of
from osteoserve_export.tasks.task import Proof
from osteoserve_preprocessing.errors import ContractError
from osteoserve_preprocessing.inference import ModelContract, read_contract
from osteoserve_preprocessing.inference.configuration import (
    ONNX_FILE,
    PlanFile,
    model_configurations,
)
from osteoserve_preprocessing.profiles import BF16, configuration_file

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
        studies: To prove parity on, CT or bone scans; phantoms without them.
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
    task = task_of(asked, run.weights)
    with new_model_folder(run.repository, asked.name, asked.version) as repository:
        model = repository / asked.name
        task.ask(run.studies)
        with tempfile.TemporaryDirectory(prefix="osteoserve-export-") as scratch:
            files = task.write(model / str(asked.version), Path(scratch))
            say(f"wrote {files.onnx.stat().st_size / 1e6:.1f} MB of ONNX; proving that it agrees")
            _configure(task, asked, model, files)
            proof = task.compare(files, repository)
            _check(task, proof)
            in_bf16 = _try_bf16(task, asked, repository, files)
        report = ExportReport(
            weights=record(run.weights, run.weights.parent),
            parameters=sum(parameter.numel() for parameter in task.network.parameters()),
            folded=task.folded,
            files=tuple(record(path, model) for path in sorted(files.onnx.parent.iterdir())),
            proof=proof,
            in_bf16=in_bf16.proof,
            studies=tuple(path.name for path in run.studies),
            notes=(*task.notes(), *_notes(asked, files), *in_bf16.notes),
        )
        _write(report, model, run.card)
    for line in (*report.facts, *report.notes):
        say(line)
    say(f"wrote {run.repository / asked.name}")
    return report


def prove_model(model: Path, weights: Path, studies: tuple[Path, ...] = (), *, say: Say) -> Proof:
    """Compare a model folder with the checkpoint it claims to be, without writing anything.

    Args:
        model: The folder, as ``osteoserve export`` wrote it.
        weights: Checkpoint.
        studies: To try, CT or bone scans; phantoms without them.
        say: Called with each line.

    Raises:
        ExportError: It does not agree, or something is missing.
    """
    asked = read_specification(model / SPECIFICATION, {})
    served = model / str(asked.version) / ONNX_FILE
    if not served.is_file():
        raise PublishError(f"{served} does not exist")
    task = task_of(asked, weights)
    task.ask(studies)
    with tempfile.TemporaryDirectory(prefix="osteoserve-parity-") as scratch:
        # By itself, so that no other model of the repository has to start.
        shutil.copytree(model, Path(scratch) / asked.name)
        proof = task.compare(ModelFiles(served, None, None), Path(scratch))
        _check(task, proof)
        for path in (model / "config.pbtxt", *sorted(model.glob("configs/*.pbtxt"))):
            task.check_contract(_contract(path, asked))
        _agree(proof, say)
        for note in task.notes():
            say(note)
        if configuration_file(model, BF16).stem == BF16:
            _prove_bf16(task, Path(scratch), say)
    return proof


def _contract(path: Path, asked: ExportSpecification) -> ModelContract:
    try:
        return read_contract(path, str(asked.version))
    except OSError as error:
        raise PublishError(f"{path} cannot be read: {error.strerror}") from error
    except (text_format.ParseError, ContractError) as error:
        raise PublishError(f"{path} states no contract: {error}") from error


def _prove_bf16(task: Task, repository: Path, say: Say) -> None:
    try:
        proof = task.compare_in_bf16(repository)
    except UnavailableError as error:
        say(f"{BF16} was not compared: {error}")
        return
    if proof is not None:
        proof.check()
        _agree(proof, say)


def _agree(proof: Proof, say: Say) -> None:
    say(f"{len(proof.rows)} comparisons agree")
    for fact in facts(proof):
        say(fact)


@dataclass(frozen=True)
class InBf16:
    """What came of trying a model in bf16.

    Args:
        proof: That it answers the same; None where it has no profile for bf16.
        notes: Why not, where that is to be said.
    """

    proof: SegmentationProof | None = None
    notes: tuple[str, ...] = ()


def _try_bf16(
    task: Task, asked: ExportSpecification, repository: Path, files: ModelFiles
) -> InBf16:
    """Add the profile for bf16 where this CPU can prove that it answers the same."""
    model = repository / asked.name
    _configure(task, asked, model, files, bf16=True)
    found = InBf16()
    try:
        proof = task.compare_in_bf16(repository)
        if proof is not None:
            proof.check()
            found = InBf16(proof)
    except (ParityError, UnavailableError) as error:
        found = InBf16(notes=(f"No profile for {BF16}: {error}.",))
    if found.proof is None:
        configuration_file(model, BF16).unlink()
    return found


def _check(task: Task, proof: Proof) -> None:
    try:
        proof.check()
    except ParityError as error:
        raise ParityError(f"{error}{task.rounding()}") from error


def _configure(
    task: Task,
    asked: ExportSpecification,
    model: Path,
    files: ModelFiles,
    *,
    bf16: bool = False,
) -> None:
    texts = model_configurations(
        task.contract(record(files.onnx, model).sha256),
        probabilities=task.probabilities,
        # Strongly typed: the plan computes in the types of the file.
        plan=PlanFile(files.plan.sha256, asked.precision) if files.plan else None,
        bf16=bf16,
    )
    for name, text in texts.items():
        (model / name).parent.mkdir(exist_ok=True)
        (model / name).write_text(text, encoding="utf-8")


def _notes(asked: ExportSpecification, files: ModelFiles) -> list[str]:
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
    return notes


def _write(report: ExportReport, model: Path, card: Path | None) -> None:
    lines = ["background", *(label.name for label in report.asked.labels)]
    (model / "labels.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (model / SPECIFICATION).write_text(write_specification(report.asked), encoding="utf-8")
    (model / REPORT).write_text(as_json(report), encoding="utf-8")
    (model / PAGE).write_text(as_page(report), encoding="utf-8")
    if card:
        shutil.copyfile(card, model / CARD)
