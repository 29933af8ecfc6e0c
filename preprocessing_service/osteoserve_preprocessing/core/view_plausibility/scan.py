"""All checks of one scan."""

from __future__ import annotations

from collections.abc import Mapping

from osteoserve_preprocessing.core.view_plausibility.facing import check_view, check_views
from osteoserve_preprocessing.core.view_plausibility.landmarks import LabelMap
from osteoserve_preprocessing.core.view_plausibility.mirrored import check_pair_mirrored
from osteoserve_preprocessing.core.view_plausibility.silhouette import Counts
from osteoserve_preprocessing.core.view_plausibility.upright import check_upright
from osteoserve_preprocessing.core.view_plausibility.verdict import Plausibility

#: What no pixel of a single view can show: bones are nearly symmetric.
ONE_VIEW = Plausibility(
    "undetermined",
    0.0,
    "one view alone does not show whether it was mirrored: left and right are what the file says",
)


def check_scan(
    counts: Mapping[str, Counts], labels: Mapping[str, LabelMap], names: Mapping[int, str]
) -> tuple[Plausibility, ...]:
    """Hold a scan's pixels against what its file says.

    A view that is upside down is held against nothing else: front and back, left and right are then
    no question.

    Args:
        counts: For "anterior", "posterior" or both (Y, X), of one shape, some above 0. Rows run
            from the head to the feet; columns to the patient's left in an anterior view, to the
            right in a posterior one.
        labels: For each of them (Y, X) label map.
        names: Of the labels.

    Returns:
        Which way is up, for each view; then whether the views are mirror images; then whether they
        were taken from where the file says.
    """
    upright = tuple(check_upright(counts[view], labels[view], names) for view in counts)
    if any(check.verdict == "implausible" for check in upright):
        return upright
    if len(counts) == 1:
        ((view, only),) = counts.items()
        return (*upright, ONE_VIEW, check_view(only, labels[view], names, view))
    return (
        *upright,
        check_pair_mirrored(counts["anterior"], counts["posterior"]),
        check_views(counts, labels, names),
    )
