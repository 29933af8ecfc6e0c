"""Synthetic whole-body bone scans with their true regions: for the demo, tests and training."""

from osteoserve_client.phantom.scintigraphy.camera import VIEWS
from osteoserve_client.phantom.scintigraphy.label_images import write_labels
from osteoserve_client.phantom.scintigraphy.nm_study import write_scintigraphy_study
from osteoserve_client.phantom.scintigraphy.parameters import (
    ScintigraphyParameters,
    draw_scintigraphy_parameters,
)
from osteoserve_client.phantom.scintigraphy.regions import REGIONS, Region
from osteoserve_client.phantom.scintigraphy.scan import (
    PhantomScintigraphy,
    make_scintigraphy_phantom,
)

__all__ = [
    "REGIONS",
    "VIEWS",
    "PhantomScintigraphy",
    "Region",
    "ScintigraphyParameters",
    "draw_scintigraphy_parameters",
    "make_scintigraphy_phantom",
    "write_labels",
    "write_scintigraphy_study",
]
