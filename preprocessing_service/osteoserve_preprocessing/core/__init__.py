"""What is computed on a CT volume before and after the network; pure, and knows no gRPC."""

from osteoserve_preprocessing.core.hounsfield import check_hounsfield
from osteoserve_preprocessing.core.label_map import LabelMap
from osteoserve_preprocessing.core.measures import LabelMeasure, measure_labels
from osteoserve_preprocessing.core.options import (
    Normalisation,
    PreprocessingOptions,
    StretcherMethod,
    Window,
)
from osteoserve_preprocessing.core.orientation import Orientation, canonical_orientation
from osteoserve_preprocessing.core.pipeline import Preprocessed, preprocess
from osteoserve_preprocessing.core.sampling import InPlaneSampling, in_plane_sampling
from osteoserve_preprocessing.core.sections import Section, spans
from osteoserve_preprocessing.core.stretcher import StretcherReport
from osteoserve_preprocessing.core.voxel_mask import VoxelMask

__all__ = [
    "InPlaneSampling",
    "LabelMap",
    "LabelMeasure",
    "Normalisation",
    "Orientation",
    "Preprocessed",
    "PreprocessingOptions",
    "Section",
    "StretcherMethod",
    "StretcherReport",
    "VoxelMask",
    "Window",
    "canonical_orientation",
    "check_hounsfield",
    "in_plane_sampling",
    "measure_labels",
    "preprocess",
    "spans",
]
