"""What every measured way has in common: DICOM files in, results on disk, times of its stages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

#: Seconds by stage, in the order in which the stages ran. A name with a dot, such as
#: "service.inference", is inside the stage before the dot and adds nothing to the sum.
Stages = dict[str, float]

#: What every way writes.
LABEL_MAP: Final = "skeleton.nii.gz"
SEGMENTATION: Final = "skeleton.seg.dcm"

#: The model that all ways run: its name in the repository, and of its checkpoint.
MODEL: Final = "unet_skeleton"

#: Told what happens next, in a few words.
Say = Callable[[str], None]


class Way(Protocol):
    """One way from a folder of DICOM files to files on disk; loaded once, run many times."""

    def run(self, study: Path, out: Path, /) -> Stages:
        """Segment a study.

        Args:
            study: Folder of DICOM files, one slice each.
            out: Folder that exists; ``LABEL_MAP`` and ``SEGMENTATION`` are in it afterwards, and
                replace earlier ones.
        """
        ...


def total(stages: Stages) -> float:
    """Seconds of all stages together, what is inside others left out."""
    return sum(seconds for name, seconds in stages.items() if "." not in name)


def model_line(served: tuple[str, str, str]) -> str:
    """What is said of the model that answered.

    Args:
        served: Its version, precision and digest.
    """
    return "{} version {}, {}, {}".format(MODEL, *served)
