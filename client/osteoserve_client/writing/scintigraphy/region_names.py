"""Words for what the wire contract says of regions in numbers."""

from __future__ import annotations

from collections.abc import Mapping

from osteoserve_client.service.options import VIEW_MESSAGES
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb

VIEWS = {number: view for view, number in VIEW_MESSAGES.items()}
SIDES = {pb.SIDE_LEFT: "left", pb.SIDE_RIGHT: "right"}
KINDS = {pb.RegionFinding.KIND_MISSING: "missing", pb.RegionFinding.KIND_DOUBLED: "doubled"}


def view_of(item: pb.Region | pb.RegionFinding) -> str:
    """Its view: "anterior" or "posterior"; "" where the answer states none that is known."""
    return VIEWS.get(item.view, "")


def side_of(item: pb.Region | pb.RegionFinding) -> str:
    """The patient's "left" or "right"; "" in the middle."""
    return SIDES.get(item.side, "")


def kind_of(finding: pb.RegionFinding) -> str:
    """What is wrong: "missing" or "doubled"; "" where it is not known."""
    return KINDS.get(finding.kind, "")


def label_names(model: pb.Model) -> Mapping[int, str]:
    """Name of every label of a model."""
    return {label.value: label.name for label in model.labels}


def spoken(item: pb.Region | pb.RegionFinding, name: str) -> str:
    """A region's name for a reader who knows its view: "right humerus", "femurs, left".

    Args:
        item: The region.
        name: Of its label, as "anterior_right_humerus".
    """
    side = side_of(item)
    words = [word for word in name.replace("_", " ").split() if word != view_of(item)]
    said = " ".join(words) or name
    return said if not side or side in words else f"{said}, {side}"
