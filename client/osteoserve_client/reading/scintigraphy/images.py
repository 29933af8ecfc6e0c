"""Grey PNG and TIFF images of bone scans, whose view someone says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.ExifTags import Base

from osteoserve_client.errors import (
    DecompressionBoundError,
    OrientationError,
    PixelFormatError,
    UnreadableFileError,
    ViewError,
)
from osteoserve_client.reading.discretion import refusing, silenced_libraries
from osteoserve_client.reading.files import Progress
from osteoserve_client.reading.limits import MAX_PIXELS, check_size
from osteoserve_client.reading.scintigraphy.assembly import assumptions, check_sizes, turned_view
from osteoserve_client.reading.scintigraphy.counts import to_counts
from osteoserve_client.reading.scintigraphy.remarks import total_counts, unique
from osteoserve_client.reading.scintigraphy.views import StoredFrame, place_views
from osteoserve_client.scintigram import VIEWS, Scintigram

#: Pillow's names of whole grey values of 8, 16 and 32 bits.
_GREY_MODES = ("L", "I;16", "I;16B", "I;16L", "I;16N", "I")

AREAS_UNKNOWN = "an image file states no pixel spacing: areas are not known"
GREY = "pixels are 8-bit grey values: a display's window may have cut counts off"
COLOUR = "the image is stored in colour, its channels are all the same: one was taken"


def read_image(path: Path, name: str, *, view: str | None, on_progress: Progress) -> Scintigram:
    """Reads one PNG or TIFF file; see ``osteoserve_client.reading.read_scintigram``."""
    with silenced_libraries():
        pages = list(_pages(path, name))
    names = [name if len(pages) == 1 else f"{name}, page {n}" for n in range(1, len(pages) + 1)]
    stored = [
        StoredFrame(each, (page.shape[0], page.shape[1]))
        for each, page in zip(names, pages, strict=True)
    ]
    placed = place_views(stored, view)
    grey = [_grey(page, each) for each, page in zip(names, pages, strict=True)]
    counts = [to_counts(page, each) for each, page in zip(names, grey, strict=True)]
    views = tuple(
        turned_view(each, counts[each.frame], names[each.frame], turn=None, frame=each.frame + 1)
        for each in placed
    )
    check_sizes(views, [names[each.frame] for each in placed])
    on_progress(1, 1)
    warnings = [
        COLOUR if any(page.ndim == 3 for page in pages) else "",
        GREY if any(page.dtype == np.uint8 for page in pages) else "",
        *assumptions(views, placed, [None] * len(views)),
        AREAS_UNKNOWN,
    ]
    return Scintigram(
        views=views,
        pixel_spacing_mm=None,
        source="image",
        stored_shapes=(stored[0].shape,),
        warnings=tuple(unique(warnings)),
        description=MappingProxyType({"total_counts": total_counts(views)}),
    )


def _pages(path: Path, name: str) -> Iterator[npt.NDArray[Any]]:
    """(Y, X) or (Y, X, 3) of each page, as stored."""
    # A text chunk or a page's header may hold anything: Pillow's words stay out of messages.
    with refusing(UnreadableFileError, f"{name}: is no PNG or TIFF image, or damaged"):
        try:
            with Image.open(path, formats=("PNG", "TIFF")) as image:
                for number in range(len(VIEWS) + 1):
                    if number and not _has_page(image, number):
                        return
                    if number == len(VIEWS):
                        raise ViewError(f"{name}: has more pages than a bone scan has views")
                    yield _page(image, name)
        except Image.DecompressionBombError:
            raise DecompressionBoundError(
                f"{name}: declares more pixels than the {MAX_PIXELS} that are read"
            ) from None
        except PermissionError:
            raise UnreadableFileError(f"{name}: may not be read (permission denied)") from None


def _has_page(image: Image.Image, number: int) -> bool:
    try:
        image.seek(number)
    except EOFError:
        return False
    return True


def _page(image: Image.Image, name: str) -> npt.NDArray[Any]:
    # Before anything is decoded: an image declares its size in a few bytes.
    check_size((image.height, image.width), name, most=MAX_PIXELS)
    if image.getexif().get(Base.Orientation, 1) != 1:
        raise OrientationError(f"{name}: its Orientation tag asks for a turn; store it turned")
    if image.mode not in (*_GREY_MODES, "RGB"):
        raise PixelFormatError(
            f"{name}: its pixels are no grey values of 8 or 16 bits (palette, transparency, "
            "one bit, or fractions)"
        )
    return np.asarray(image)


def _grey(page: npt.NDArray[Any], name: str) -> npt.NDArray[np.integer[Any]]:
    if page.ndim == 3:
        if not (page == page[..., :1]).all():
            raise PixelFormatError(f"{name}: is a colour image, not counts")
        page = page[..., 0]
    return page
