"""What is kept of a job that is done, and whether its outputs are still what they were."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from osteoserve_client.batch.digests import output_digests
from osteoserve_client.segmenting.segmented import Segmented


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one job left.

    Args:
        digests: Of its outputs, as `output_digests` makes them.
        outputs: Names of all of its outputs.
        modality: "CT" or "NM".
        found: What was found, in a few words.
        model: Name of the model that answered.
        model_version: As Triton serves it.
        model_sha256: Of the model's file.
        warnings: One line each, findings included.
    """

    digests: Mapping[str, str]
    outputs: tuple[str, ...]
    modality: str
    found: str
    model: str
    model_version: str
    model_sha256: str
    warnings: tuple[str, ...]

    @classmethod
    def of(cls, segmented: Segmented, discreet: Callable[[str], str]) -> Outcome:
        """What there is to keep of an input that was segmented.

        Args:
            segmented: The input's outputs, which are there.
            discreet: Takes names of files out of a line.

        Raises:
            OSError: An output cannot be read again.
        """
        return cls(
            digests=dict(output_digests(segmented.paths)),
            outputs=tuple(path.name for path in segmented.paths),
            modality=segmented.modality,
            found=segmented.found,
            model=segmented.model.name,
            model_version=segmented.model.version,
            model_sha256=segmented.model.digest,
            warnings=tuple(map(discreet, (*segmented.warnings, *segmented.findings))),
        )

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Outcome:
        """What `document` wrote."""
        lists = {name: tuple(document[name]) for name in ("outputs", "warnings")}
        return cls(**{**document, **lists})

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    def is_intact(self, folder: Path) -> bool:
        """Whether all outputs are in the folder, with these digests."""
        paths = [folder / name for name in self.outputs]
        if not all(path.is_file() for path in paths):
            return False
        try:
            return dict(output_digests(paths)) == self.digests
        # A damaged segmentation object makes its parser raise nearly anything.
        except Exception:  # noqa: BLE001
            return False
