"""Mask R-CNN with fixed shapes, stage by stage: proposals, classification, masks."""

from osteoserve_export.graphs.detection.graph import DetectionGraph

__all__ = ["DetectionGraph"]
