"""The export of a network that labels every pixel."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import nn

from osteoserve_export.architectures import size_multiple_of
from osteoserve_export.checkpoints import load_network
from osteoserve_export.conversion.model_files import ModelFiles, write_model_files
from osteoserve_export.errors import ParityError
from osteoserve_export.graphs.channels import input_channels
from osteoserve_export.graphs.segmentation import SegmentationGraph
from osteoserve_export.parity.cutting import Cutting, compare_cut
from osteoserve_export.parity.everywhere import compare_everywhere, compare_in_bf16
from osteoserve_export.parity.proof import (
    Expected,
    SegmentationProof,
    answers,
    expectations,
)
from osteoserve_export.parity.reference import Reference
from osteoserve_export.specification import SegmentationSpecification
from osteoserve_export.trial_slices import phantom_trials, slice_trials
from osteoserve_preprocessing.inference import ModelContract, SegmentationContract


class SegmentationTask:
    """See `task.Task`.

    Args:
        asked: What to export.
        weights: Checkpoint.

    Raises:
        ArchitectureError: The network cannot be built, or does not segment.
        CheckpointError: The weights cannot be read, or are another network's.
    """

    def __init__(self, asked: SegmentationSpecification, weights: Path) -> None:
        self._asked = asked
        self.network = load_network(weights, asked.architecture, asked.options)
        self._multiple = asked.size_multiple or size_multiple_of(self.network)
        self._graph = _graph(self.network, asked)
        self._expected: tuple[Expected, ...] = ()
        self._cutting: Cutting | None = None

    @property
    def folded(self) -> int:
        """Batch normalisations that were folded into convolutions."""
        return self._graph.folded

    @property
    def probabilities(self) -> int:
        """Channels of the second output."""
        return self._asked.output_channels if self._asked.probabilities else 0

    def ask(self, studies: Sequence[Path]) -> None:
        """See `Task.ask`."""
        asked, multiple = self._asked, self._multiple
        channels = input_channels(self.network, size_multiple=multiple)
        reference = Reference(self.network, asked, channels=channels)
        trials = slice_trials(studies, asked, size_multiple=multiple)
        self._expected = expectations(reference, trials, asked)
        in_air = [item for item in self._expected if item.trial.anatomical]
        if studies:
            # A study may be cropped to the patient, and then has nothing to cut away.
            phantoms = phantom_trials(asked, size_multiple=multiple)
            in_air += answers(reference, phantoms, asked)
        self._cutting = compare_cut(reference, in_air, asked, size_multiple=multiple)

    def write(self, folder: Path, scratch: Path) -> ModelFiles:
        """See `Task.write`."""
        return write_model_files(
            self._graph,
            self._asked,
            folder,
            scratch,
            size_multiple=self._multiple,
            calibration=(item.trial.images for item in self._expected),
        )

    def contract(self, digest: str) -> SegmentationContract:
        """See `Task.contract`."""
        asked = self._asked
        return SegmentationContract(
            name=asked.name,
            version=str(asked.version),
            modality="CT",
            labels=asked.labels,
            window=asked.window,
            normalisation=asked.normalisation,
            pixel_spacing_mm=asked.pixel_spacing_mm,
            pixel_spacing_range_mm=asked.pixel_spacing_range_mm,
            size_multiple=self._multiple,
            cut_to_body=self._cutting is not None and self._cutting.agrees,
            digest=digest,
            precision="fp32",
            file_precision=asked.precision,
            max_batch=asked.max_batch,
        )

    def compare(self, files: ModelFiles, repository: Path) -> SegmentationProof:
        """See `Task.compare`."""
        return compare_everywhere(files, repository, self._expected, self._asked)

    def compare_in_bf16(self, repository: Path) -> SegmentationProof | None:
        """See `Task.compare_in_bf16`: nothing for a file that is reduced already."""
        if self._asked.precision != "fp32":
            return None
        return compare_in_bf16(repository, self._expected, self._asked)

    def rounding(self) -> str:
        """See `Task.rounding`: nothing, since each pixel is decided by itself."""
        return ""

    def check_contract(self, contract: ModelContract) -> None:
        """See `Task.check_contract`: slices may be cut only where the network bears it."""
        cut = isinstance(contract, SegmentationContract) and contract.cut_to_body
        if cut and self._cutting is not None and not self._cutting.agrees:
            raise ParityError(f"the configuration has cut_to_body, but {self._cutting.worst}")

    def notes(self) -> list[str]:
        """See `Task.notes`."""
        folding, notes = self._graph.folding, []
        if self._cutting is not None:
            notes.append(self._cutting.note)
        notes.append(f"Batch normalisations folded into convolutions: {self._graph.folded}.")
        if folding.reason:
            notes.append(f"Batch normalisation was not folded: {folding.reason}.")
        if folding.kept:
            notes.append(f"Batch normalisations left as they are: {', '.join(folding.kept)}.")
        return notes


def _graph(network: nn.Module, asked: SegmentationSpecification) -> SegmentationGraph:
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
