"""Where the images come from that a detector is tried on: bone scans, or else phantoms."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from osteoserve_export.errors import PairError
from osteoserve_export.parity.trials import Trial, ellipses
from osteoserve_export.phantoms import phantom_studies
from osteoserve_export.specification import DetectionSpecification
from osteoserve_export.training.scintigraphy.views import read_views
from osteoserve_preprocessing.core.scintigram import compose_views

#: Bodies of all builds, with and without metastases.
PHANTOM_SEEDS: Final = (11, 18, 23)

#: Images that no study has, so that even one study shares requests with others.
ELLIPSES: Final = 2


def view_trials(studies: Sequence[Path], asked: DetectionSpecification) -> tuple[Trial, ...]:
    """Images to try.

    Args:
        studies: Whole-body bone scans, each a DICOM file or folder, or a PNG of both views side by
            side; phantoms take their place where there are none.
        asked: Size of the images.

    Returns:
        One trial a study, and one that is no body at all.

    Raises:
        PairError: A study cannot be read, or has another size.
        ScintigramError: Its views do not fit.
        PublishError: The phantoms could not be made.
    """
    height, width = asked.image_size
    none = ellipses(ELLIPSES, height, width)
    if studies:
        return (*(_trial(path, path.name, asked) for path in studies), none)
    with phantom_studies("scintigraphy", PHANTOM_SEEDS) as folders:
        found = [
            _trial(path, f"phantom {seed}", asked)
            for path, seed in zip(folders, PHANTOM_SEEDS, strict=True)
        ]
    return (*found, none)


def _trial(path: Path, name: str, asked: DetectionSpecification) -> Trial:
    image = _read_png(path) if path.suffix.lower() == ".png" else _composed(path)
    if image.shape != asked.image_size:
        found, wanted = ("x".join(map(str, size)) for size in (image.shape, asked.image_size))
        raise PairError(f"{path} makes an image of {found}; the model takes {wanted}")
    return Trial(name, image[None])


def _read_png(path: Path) -> npt.NDArray[np.uint8]:
    try:
        with Image.open(path) as image:
            if image.mode != "L":
                raise PairError(f"{path} must be a grey PNG of 8 bits, not of mode {image.mode}")
            return np.asarray(image, dtype=np.uint8)
    except (OSError, UnidentifiedImageError) as error:
        raise PairError(f"{path} is no PNG that can be read") from error


def _composed(path: Path) -> npt.NDArray[np.uint8]:
    views = read_views(path)
    return compose_views(views.get("anterior"), views.get("posterior")).image
