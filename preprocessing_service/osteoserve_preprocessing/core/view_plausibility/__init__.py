"""Whether a bone scan's pixels agree with what its file says: views, sides, and which end is up.

A detector that sees both views side by side tells view and side by place alone, and is as sure of a
wrong place as of a right one. So a wrong view code or a mirrored copy would exchange the patient's
left and right without a word. These checks hold the pixels against the file; they are coarse on
purpose, and what a scan does not show is undetermined, never refused.

Their thresholds were set on synthetic scans (``osteoserve phantom scintigraphy``) and tried on one
real scan, an anterior view; each module says what was measured. On 60 further synthetic scans, made
after all was set, with the regions of the shipped detector, `check_scan` found implausible:

- none of the right pairs, right anterior views alone and right posterior views alone;
- all 60 pairs with views exchanged, with either view flipped, or with one view given twice;
- 58 of the pairs turned by 180 degrees, 56 of the anterior views so turned, and 59 of the pairs
  with rows reversed; the others remained undetermined;
- 52 of the anterior views declared posterior, 51 of the posterior views declared anterior, and 54
  of the anterior views given with their own mirror image as the posterior one; the others remained
  undetermined.

No pixel shows that both views of a pair were flipped, or that a single one was.
"""

from osteoserve_preprocessing.core.view_plausibility.facing import check_view, check_views
from osteoserve_preprocessing.core.view_plausibility.mirrored import check_pair_mirrored
from osteoserve_preprocessing.core.view_plausibility.scan import check_scan
from osteoserve_preprocessing.core.view_plausibility.upright import check_upright
from osteoserve_preprocessing.core.view_plausibility.verdict import Plausibility, Verdict

__all__ = [
    "Plausibility",
    "Verdict",
    "check_pair_mirrored",
    "check_scan",
    "check_upright",
    "check_view",
    "check_views",
]
