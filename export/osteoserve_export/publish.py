"""Writing a model into the Triton model repository: whole, or not at all."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from osteoserve_export.checkpoints import load_checkpoint
from osteoserve_export.conversion.onnx_file import (
    INPUT_NAME,
    MAX_BATCH,
    OUTPUT_NAME,
    Parity,
    export_onnx,
    prove_parity,
)
from osteoserve_export.errors import PublishError
from osteoserve_export.graphs.segmentation import ServingGraph
from osteoserve_export.training.evaluation import (
    PIXEL_SPACING_MM,
    PIXEL_SPACING_RANGE_MM,
    SIZE_MULTIPLE,
)
from osteoserve_preprocessing.core import Normalisation, Window
from osteoserve_preprocessing.inference.configuration import model_configurations
from osteoserve_preprocessing.inference.contract import ModelContract
from osteoserve_preprocessing.inference.labels import Code, Label

MODEL_NAME, MODEL_VERSION = "unet_skeleton", "1"

SKELETON = Label(
    1,
    "skeleton",
    Code("123037004", "SCT", "Anatomical Structure"),
    Code("272673000", "SCT", "Bone"),
)


def skeleton_contract(digest: str) -> ModelContract:
    """The contract of ``unet_skeleton``.

    Args:
        digest: SHA-256 of its ONNX file, hexadecimal.

    Returns:
        What its config.pbtxt states.
    """
    return ModelContract(
        name=MODEL_NAME,
        version=MODEL_VERSION,
        modality="CT",
        labels=(SKELETON,),
        window=Window(),
        normalisation=Normalisation.INTERPATIENT,
        pixel_spacing_mm=PIXEL_SPACING_MM,
        pixel_spacing_range_mm=PIXEL_SPACING_RANGE_MM,
        size_multiple=SIZE_MULTIPLE,
        digest=digest,
        precision="fp32",
        max_batch=MAX_BATCH,
        input_name=INPUT_NAME,
        output_name=OUTPUT_NAME,
    )


def publish(graph: ServingGraph, repository: Path, *, card: str) -> tuple[Parity, ...]:
    """Export a network, prove that the export answers the same, and put it into a repository.

    Args:
        graph: What is to be served.
        repository: Triton model repository.
        card: The model card's text (Markdown).

    Returns:
        The proof.

    Raises:
        ParityError: The exported file answers differently; nothing was written.
        PublishError: The model could not be written; the repository is as it was.
    """
    repository.mkdir(parents=True, exist_ok=True)
    # Hidden, so that a Triton that polls the repository never takes it for a model.
    with tempfile.TemporaryDirectory(dir=repository, prefix=".publish-") as folder:
        model = Path(folder) / MODEL_NAME
        (model / MODEL_VERSION).mkdir(parents=True)
        onnx_file = model / MODEL_VERSION / "model.onnx"
        export_onnx(graph, onnx_file)
        proof = prove_parity(graph, onnx_file)
        contract = skeleton_contract(hashlib.sha256(onnx_file.read_bytes()).hexdigest())
        for name, text in model_configurations(contract).items():
            (model / name).parent.mkdir(exist_ok=True)
            (model / name).write_text(text, encoding="utf-8")
        (model / "labels.txt").write_text("".join(_lines(contract.labels)), encoding="utf-8")
        (model / "MODEL_CARD.md").write_text(card, encoding="utf-8")
        _replace(model, repository / MODEL_NAME)
    return proof


def _lines(labels: Sequence[Label]) -> list[str]:
    return ["background\n", *(f"{label.name}\n" for label in labels)]


def _replace(new: Path, place: Path) -> None:
    """Move a folder to its place; what was there is put back if that fails."""
    old = new.with_name(new.name + ".old")
    try:
        if place.exists():
            place.replace(old)
        new.replace(place)
    except OSError as error:
        if old.exists() and not place.exists():
            shutil.move(old, place)
        raise PublishError(f"{place} could not be written: {error.strerror}") from error


def run_publishing(
    checkpoint: Path, card: Path, repository: Path, *, say: Callable[[str], None]
) -> None:
    """Export a network into a Triton model repository.

    Args:
        checkpoint: Weights.
        card: Model card.
        repository: Triton model repository.
        say: Called with each line.

    Raises:
        CheckpointError: The weights cannot be used.
        ParityError: The exported file answers differently.
        PublishError: The model could not be written.
    """
    graph = ServingGraph(load_checkpoint(checkpoint))
    for parity in publish(graph, repository, card=card.read_text(encoding="utf-8")):
        count, height, width = parity.shape
        say(
            f"{parity.runtime} at {count}x{height}x{width}: Dice {parity.dice:.6f} against torch, "
            f"{parity.disagreement:.2e} of the pixels differ"
        )
    say(f"wrote {repository / MODEL_NAME}")
