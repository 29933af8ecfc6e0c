"""Where masks are sent."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class Destination(Protocol):
    """Takes segmentation objects."""

    @property
    def name(self) -> str:
        """In the log, and in the record of what was sent where; no blanks, no secrets."""
        ...

    def send(self, mask: Path) -> None:
        """Send one; it has been stored when this returns.

        Args:
            mask: A DICOM file.

        Raises:
            DeliveryError: It may not have been stored; sending it again is harmless.
            DeliveryRefusedError: The other side does not want it.
        """
        ...
