"""What is measured with: the phantom on disk, the shipped model and its checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import osteoserve_benchmarks
from osteoserve_benchmarks.way import MODEL
from osteoserve_client.errors import InputNotFoundError
from osteoserve_client.phantom import make_ct_phantom, write_dicom_study
from osteoserve_preprocessing.server.settings import packaged_repository

#: Legs, pelvis, thorax, head, arms and table, in their true proportions.
REGION: Final = "whole_body"
SEED: Final = 0


def phantom_study(slices: int, folder: Path, *, region: str = REGION) -> Path:
    """Write the phantom as DICOM files of 512x512.

    Args:
        slices: How many, spread over the region; two or more.
        folder: Where; made if absent, must be empty.
        region: Part of the body.
    """
    write_dicom_study(make_ct_phantom(slices=slices, region=region, seed=SEED), folder)
    return folder


def model_folder() -> Path:
    """The shipped model, as the embedded Triton serves it."""
    return packaged_repository() / MODEL


def checkpoint() -> Path:
    """The weights that it was exported from: the wheel's copy, or the checkout's.

    Raises:
        InputNotFoundError: There are none.
    """
    package = Path(osteoserve_benchmarks.__file__).parent
    name = f"{MODEL}.safetensors"
    candidates = (package / name, package.parents[1] / "export" / "checkpoints" / name)
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise InputNotFoundError(f"{name}, which the plain way runs, is not in this installation")
