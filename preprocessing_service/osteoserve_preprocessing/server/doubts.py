"""What speaks against a bone scan being what its request says it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from osteoserve_preprocessing.core.region_maps import (
    Finding,
    RegionFinding,
    RegionMaps,
    expected_regions,
)
from osteoserve_preprocessing.core.view_plausibility import check_scan
from osteoserve_preprocessing.errors import ScintigramError
from osteoserve_preprocessing.inference import DetectionContract
from osteoserve_preprocessing.server.exchange import ScintigramRequest


def doubts_about(
    request: ScintigramRequest,
    contract: DetectionContract,
    counts: npt.NDArray[np.uint16],
    maps: RegionMaps,
    findings: Sequence[RegionFinding],
) -> tuple[str, ...]:
    """Hold what was found, and the counts, against the request.

    Args:
        request: Which views the counts are said to be.
        contract: The model that answered.
        counts: (V, Y, X), as they were sent.
        maps: What was found in them.
        findings: What was not.

    Returns:
        One line for the reader of the answer on each thing that the pixels do not show or, where
        the caller vouches for the views, speak against.

    Raises:
        ScintigramError: Most regions that every patient has are missing, or the pixels speak
            against views or sides, and the caller does not vouch for them.
    """
    names = {label.value: label.name for label in contract.labels}
    checks = check_scan(
        dict(zip(request.views, counts, strict=True)),
        dict(zip(request.views, maps.labels, strict=True)),
        names,
    )
    against = [check.reason for check in checks if check.verdict == "implausible"]
    against += _too_little(request, names, findings)
    if against and not request.views_confirmed:
        raise ScintigramError("; ".join(against))
    return (*against, *(check.reason for check in checks if check.verdict == "undetermined"))


def _too_little(
    request: ScintigramRequest, names: dict[int, str], findings: Sequence[RegionFinding]
) -> tuple[str, ...]:
    lines = []
    for view in request.views:
        expected = expected_regions(view, names)
        missing = sum(each.finding is Finding.MISSING and each.view == view for each in findings)
        if missing > expected / 2:
            lines.append(
                f"{missing} of {expected} regions that every patient has are missing in the {view} "
                "view: it shows no whole body with the head up, or its counts are too few"
            )
    return tuple(lines)
