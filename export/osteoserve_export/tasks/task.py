"""The steps of an export that depend on what the network does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from torch import nn

from osteoserve_export.conversion.model_files import ModelFiles
from osteoserve_export.parity.detection_proof import DetectionProof
from osteoserve_export.parity.proof import SegmentationProof
from osteoserve_preprocessing.inference import ModelContract

Proof = SegmentationProof | DetectionProof


class Task(Protocol):
    """A network that is loaded, and everything that its task says about its export.

    Attributes:
        network: As loaded, in evaluation mode.
        folded: Batch normalisations that were folded into convolutions by this package.
        probabilities: Channels of a second output of that name; 0 where there is none.
    """

    network: nn.Module

    @property
    def folded(self) -> int:
        """See the attribute."""
        ...

    @property
    def probabilities(self) -> int:
        """See the attribute."""
        ...

    def ask(self, studies: Sequence[Path]) -> None:
        """Ask the network itself; what it answers is what `compare` compares with.

        Args:
            studies: To try; phantoms without them.

        Raises:
            ExportError: A study cannot be read, or the answers would prove nothing.
        """

    def write(self, folder: Path, scratch: Path) -> ModelFiles:
        """Write the files of a version directory.

        Args:
            folder: The version directory.
            scratch: Folder for files that are not served.

        Raises:
            ExportError: The network cannot be brought into the form that was asked for.
        """
        ...

    def contract(self, digest: str) -> ModelContract:
        """What the configurations state.

        Args:
            digest: SHA-256 of the model file.
        """
        ...

    def compare(self, files: ModelFiles, repository: Path) -> Proof:
        """Compare every runtime with what the network answered.

        Args:
            files: What was written.
            repository: Holds the model's folder and nothing else.

        Raises:
            ParityError: An answer is none, or Triton does not serve the folder.
        """
        ...

    def compare_in_bf16(self, repository: Path) -> SegmentationProof | None:
        """Compare what Triton answers by the profile "bf16".

        Args:
            repository: Holds the model's folder, with that profile, and nothing else.

        Returns:
            The proof; None where the network has no such profile.

        Raises:
            UnavailableError: This CPU does not compute in bf16.
            ParityError: An answer is none, or Triton does not serve the folder.
        """
        ...

    def rounding(self) -> str:
        """What rounding alone does to the network's answers, where a proof has failed.

        Returns:
            Words to end the refusal with, where the network in float64 disagrees with itself as
            well, so that no runtime could do better; else nothing.
        """
        ...

    def check_contract(self, contract: ModelContract) -> None:
        """Refuse a configuration that has the service do what the network does not bear.

        Args:
            contract: What the configuration states.

        Raises:
            ParityError: Says what.
        """

    def notes(self) -> list[str]:
        """What a reader of the report should know of the network, one line each."""
        ...
