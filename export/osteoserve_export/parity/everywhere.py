"""One export in every runtime that will serve it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from osteoserve_export.conversion.model_files import ModelFiles
from osteoserve_export.conversion.tensorrt_plan import PlanRunner
from osteoserve_export.errors import ParityError
from osteoserve_export.parity.proof import BATCHES, Expected, Row, compare_runtime
from osteoserve_export.parity.runtimes import OnnxRuntime, OpenVino
from osteoserve_export.parity.served import compare_served
from osteoserve_export.specification import ExportSpecification
from osteoserve_preprocessing.errors import PreprocessingError
from osteoserve_preprocessing.inference.configuration import PLAN_FILE


def compare_everywhere(
    files: ModelFiles,
    repository: Path,
    expected: Sequence[Expected],
    asked: ExportSpecification,
) -> tuple[Row, ...]:
    """Load every file again, ask every runtime, and at last Triton.

    Args:
        files: What was written.
        repository: Holds the model's folder and nothing else.
        expected: The network's own answers.
        asked: Name and labels.

    Raises:
        ParityError: An answer has another type or shape, holds what is no label, or Triton does not
            serve the folder.
    """
    rows: list[Row] = []
    if files.proof:
        for runtime in (OnnxRuntime(files.proof), OpenVino(files.proof)):
            name = f"{runtime.name}, with logits"
            rows += compare_runtime(name, runtime, expected, asked, batches=BATCHES[-1:])
    for runtime in (OnnxRuntime(files.onnx), OpenVino(files.onnx)):
        rows += compare_runtime(runtime.name, runtime, expected, asked)
    if files.plan:
        name = f"TensorRT {files.plan.tensorrt} on {files.plan.gpu.name}"
        rows += compare_runtime(name, PlanRunner(files.onnx.with_name(PLAN_FILE)), expected, asked)
    try:
        rows += compare_served(repository, expected, asked)
    except PreprocessingError as error:
        raise ParityError(f"Triton does not serve the export: {error}") from error
    return tuple(rows)
