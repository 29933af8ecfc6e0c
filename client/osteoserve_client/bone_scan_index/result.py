"""One scan's index with all that its outputs speak of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, cast

import numpy as np
import numpy.typing as npt

from osteoserve_client.bone_scan_index.hot_spots import HotSpots
from osteoserve_client.bone_scan_index.index import (
    KIDNEY,
    PELVIS,
    BoneScanIndex,
    NamedRegion,
    bone_scan_index,
)
from osteoserve_client.scintigram import Scintigram, View
from osteoserve_client.writing.scintigraphy.region_names import (
    kind_of,
    label_names,
    side_of,
    spoken,
    view_of,
)
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb

#: What every output says of the figure.
WHAT_IT_IS: Final = (
    "Area ratio of planar views (Yu 2023, section 1), not the index of Imbriaco 1998, which weighs "
    "each bone by its mass; for research only."
)


@dataclass(frozen=True, eq=False, kw_only=True)
class ScanIndex:
    """The index of one scan.

    Args:
        scan: Whose it is.
        report: The service's, on its regions.
        hot_spots: What was called a metastasis.
        index: The figures.
        bladder_excluded: Whether the bladder region was left out.
    """

    scan: Scintigram
    report: pb.ScintigramReport
    hot_spots: HotSpots
    index: BoneScanIndex
    bladder_excluded: bool

    @property
    def pixel_mm2(self) -> float | None:
        """Area of a pixel; None where its spacing is not known."""
        if self.scan.pixel_spacing_mm is None:
            return None
        rows, columns = self.scan.pixel_spacing_mm
        return rows * columns

    @property
    def cautions(self) -> tuple[str, ...]:
        """What makes the figure doubtful, one line each."""
        return tuple(_cautions(self))


def index_of_scan(
    scan: Scintigram,
    regions: npt.NDArray[np.uint8],
    report: pb.ScintigramReport,
    hot_spots: HotSpots,
    *,
    exclude_bladder: bool = True,
) -> ScanIndex:
    """Set hot spots against the regions of the skeleton.

    Args:
        scan: Whose they are.
        regions: (V, Y, X) uint8 on its views, 0 or the number of a region.
        report: The service's, on these regions.
        hot_spots: On the same views.
        exclude_bladder: Leave the bladder region out.

    Raises:
        ServiceError: There is no region of the skeleton.
    """
    names = label_names(report.model)
    numbers = {view.view: own for view, own in zip(scan.views, regions, strict=True)}
    named = [
        NamedRegion(each.number, names[each.label], cast(View, view_of(each)), side_of(each))
        for each in sorted(report.regions, key=lambda each: (each.label, each.side))
    ]
    index = bone_scan_index(numbers, named, hot_spots.masks, exclude_bladder=exclude_bladder)
    return ScanIndex(
        scan=scan, report=report, hot_spots=hot_spots, index=index, bladder_excluded=exclude_bladder
    )


def _cautions(result: ScanIndex) -> Iterator[str]:
    names = label_names(result.report.model)
    index, views = result.index, result.index.pictures
    for finding in result.report.findings:
        if view_of(finding) in views:
            name = names[finding.label]
            what = f"{kind_of(finding)}: {spoken(finding, name)} in the {view_of(finding)} view"
            yield f"{what}; {_bias(finding, name)}"
    for view in result.scan.views:
        if view.view not in views:
            yield f"no hot spots were given for the {view.view} view: it is left out of all figures"
        elif not result.hot_spots.masks[view.view].any():
            yield f"no pixel of the {view.view} view is hot"
    if len(result.scan.views) == 1:
        (only,) = result.scan.views
        yield f"the scan has the {only.view} view alone: do not compare with an index of two views"
    if KIDNEY not in names.values():
        yield "the model knows no kidney: hot spots there may be counted"
    if result.bladder_excluded and PELVIS not in names.values():
        yield "the model knows no pelvis: no bladder region could be excluded"
    outside = index.not_counted("outside").hot
    if 2 * outside > index.hot_pixels:
        yield (
            "more than half of the hot pixels lie outside every region: does the mask lie as the "
            "stored frame does, and is what is hot not 0?"
        )


def _bias(finding: pb.RegionFinding, name: str) -> str:
    if finding.kind == pb.RegionFinding.KIND_DOUBLED:
        return "look at the picture whether both are true"
    if name == KIDNEY:
        return "hot spots in it are not excluded"
    return "the skeleton's area is too small by it, and its hot spots are not counted"
