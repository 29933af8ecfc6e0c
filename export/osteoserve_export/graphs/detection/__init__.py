"""Mask R-CNN with fixed shapes, stage by stage: proposals, classification, masks."""

from osteoserve_export.graphs.detection.graph import INPUT, OUTPUTS, DetectionGraph

__all__ = ["INPUT", "OUTPUTS", "DetectionGraph"]
