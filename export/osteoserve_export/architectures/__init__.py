"""The networks that this package exports: its own, well-known ones, and the user's.

Importing this package does not import torch.
"""

from osteoserve_export.architectures.registry import (
    Architecture,
    build_network,
    find_architecture,
    size_multiple_of,
)

__all__ = ["Architecture", "build_network", "find_architecture", "size_multiple_of"]
