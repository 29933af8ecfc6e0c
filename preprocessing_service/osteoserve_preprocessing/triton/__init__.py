"""A real Triton without a container."""

from osteoserve_preprocessing.triton.embedded import EmbeddedTriton

__all__ = ["EmbeddedTriton"]
