"""The networks that this package trains and exports."""

from osteoserve_export.architectures.unet import UNet

__all__ = ["UNet"]
