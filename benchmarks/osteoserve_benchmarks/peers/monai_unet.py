"""MONAI's sliding window on the CPU, with the U-Net of its spleen tutorial, in 3-D and in 2-D."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import torch
from monai.data import MetaTensor
from monai.inferers import SliceInferer, SlidingWindowInferer
from monai.networks.layers import Norm
from monai.networks.nets import UNet
from monai.transforms import (
    Compose,
    EnsureChannelFirst,
    LoadImage,
    Orientation,
    SaveImage,
    ScaleIntensityRange,
    Spacing,
)

from osteoserve_benchmarks.way import Stages
from osteoserve_client.cli.segment.stages import Times

CLASSES: Final = 2
#: (x, y, z), as MONAI orders axes after `Orientation` to RAS.
SPACING_MM: Final = (1.5, 1.5, 2.0)
CUBE: Final = (96, 96, 96)
MATRIX: Final = (512, 512)
#: Windows that go through the network together.
BATCH: Final = 4


class MonaiVolume:
    """DICOM files to a NIfTI label map by a 3-D network, through a grid of its own and back.

    Args:
        scratch: Is not used.
    """

    def __init__(self, scratch: Path) -> None:
        del scratch
        self._network = _network(3)
        self._infer = SlidingWindowInferer(roi_size=CUBE, sw_batch_size=BATCH, overlap=0.25)
        self._resample = Spacing(pixdim=SPACING_MM, mode="bilinear")

    @torch.no_grad()
    def run(self, study: Path, out: Path) -> Stages:
        """See `Way.run`."""
        times = Times()
        image = times.measured("read", lambda: _read(study))
        resampled = times.measured("resample", lambda: self._resample(image))
        logits = times.measured("network", lambda: self._infer(resampled[None], self._network)[0])
        native = times.measured("restore", lambda: self._restored(logits, resampled))
        times.measured("write", lambda: _write(native, image, out))
        return times

    def parameters(self) -> int:
        """See `PeerWay.parameters`."""
        return _parameters(self._network)

    def _restored(self, logits: torch.Tensor, resampled: MetaTensor) -> torch.Tensor:
        there = MetaTensor(
            logits, meta=resampled.meta, applied_operations=resampled.applied_operations
        )
        labels: torch.Tensor = self._resample.inverse(there).argmax(dim=0, keepdim=True)
        return labels


class MonaiSlices:
    """DICOM files to a NIfTI label map by a 2-D network, slice by slice.

    Args:
        scratch: Is not used.
    """

    def __init__(self, scratch: Path) -> None:
        del scratch
        self._network = _network(2)
        self._infer = SliceInferer(roi_size=MATRIX, spatial_dim=2, sw_batch_size=BATCH)

    @torch.no_grad()
    def run(self, study: Path, out: Path) -> Stages:
        """See `Way.run`."""
        times = Times()
        image = times.measured("read", lambda: _read(study))
        logits = times.measured("network", lambda: self._infer(image[None], self._network)[0])
        labels = times.measured("argmax", lambda: logits.argmax(dim=0, keepdim=True))
        times.measured("write", lambda: _write(labels, image, out))
        return times

    def parameters(self) -> int:
        """See `PeerWay.parameters`."""
        return _parameters(self._network)


def _network(dimensions: int) -> Any:
    torch.manual_seed(0)
    return UNet(
        spatial_dims=dimensions,
        in_channels=1,
        out_channels=CLASSES,
        channels=(16, 32, 64, 128, 256),
        strides=(2, 2, 2, 2),
        num_res_units=2,
        norm=Norm.BATCH,
    ).eval()


def _parameters(network: torch.nn.Module) -> int:
    return sum(weights.numel() for weights in network.parameters())


def _read(study: Path) -> MetaTensor:
    """(1, X, Y, Z) float32 in RAS, window of HU scaled to 0..1."""
    return Compose(
        [
            LoadImage(reader="PydicomReader", image_only=True),
            EnsureChannelFirst(),
            Orientation(axcodes="RAS", labels=None),
            ScaleIntensityRange(a_min=-175, a_max=250, b_min=0.0, b_max=1.0, clip=True),
        ]
    )(study)


def _write(labels: torch.Tensor, image: MetaTensor, out: Path) -> None:
    save = SaveImage(
        output_dir=out,
        output_postfix="labels",
        separate_folder=False,
        print_log=False,
        resample=False,
        output_dtype="uint8",
    )
    save(MetaTensor(labels, meta=image.meta))
