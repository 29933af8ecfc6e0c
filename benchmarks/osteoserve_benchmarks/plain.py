"""The plain way: the script that a researcher writes who has the trained network.

pydicom in a loop, SciPy for the table, NumPy for the window, PyTorch slice by slice, highdicom and
nibabel for the results. It does what the method says (Milara 2024) and is slow nowhere on purpose:
all cores, no gradients, integers where the paper has integers, one decision at the end.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from torch.utils.flop_counter import FlopCounterMode

from osteoserve_benchmarks.script import read, write
from osteoserve_benchmarks.way import Stages
from osteoserve_client.cli.segment.stages import Times
from osteoserve_export.checkpoints import load_checkpoint

#: Denser than this is patient or table, not air, lung or foam.
DENSE_HU: Final = -250
#: Rounds of the opening in each slice, with a cross of three pixels: a shell of up to 4 mm goes.
OPENING: Final = 2
#: Of the largest part's voxels: smaller parts are no limbs.
SMALLEST_PART: Final = 0.01
#: Milara 2024, "Thresholding".
WINDOW_HU: Final = (0, 300)


class Plain:
    """The script, with the network loaded.

    Args:
        checkpoint: Weights of the shipped U-Net.
    """

    def __init__(self, checkpoint: Path) -> None:
        self._network = load_checkpoint(checkpoint)

    def run(self, study: Path, out: Path) -> Stages:
        """See `Way.run`."""
        times = Times()
        datasets, hounsfield = times.measured("read", lambda: read(study))
        times.measured("table", lambda: remove_table(hounsfield))
        grey = times.measured("window", lambda: window(hounsfield))
        mask = times.measured("network", lambda: self.segment(grey))
        times.measured("write", lambda: write(datasets, mask, out))
        return times

    @torch.no_grad()
    def segment(self, grey: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Slice by slice, float32; foreground where the sigmoid is above one half.

        Args:
            grey: (Z, Y, X) uint8; Y and X multiples of 16.

        Returns:
            (Z, Y, X) uint8, 0 or 1.
        """
        mask = np.empty_like(grey)
        for k, slice_ in enumerate(grey):
            image = torch.from_numpy(slice_).float().div(255)[None, None]
            mask[k] = (torch.sigmoid(self._network(image)) > 0.5)[0, 0].numpy()
        return mask

    @torch.no_grad()
    def flops(self, matrix: tuple[int, int]) -> int:
        """Additions and multiplications of the network's convolutions for one slice.

        Args:
            matrix: (H, W) of the slice, multiples of 16.
        """
        with FlopCounterMode(display=False) as counter:
            self._network(torch.zeros(1, 1, *matrix))
        return int(counter.get_total_flops())


def remove_table(hounsfield: npt.NDArray[np.int16]) -> None:
    """Set everything to 0 HU that is not the body: what opening leaves, in large parts, filled.

    Args:
        hounsfield: (Z, Y, X) int16; changed in place.
    """
    cross = ndimage.generate_binary_structure(2, 1)
    dense = np.stack(
        [
            ndimage.binary_opening(slice_ > DENSE_HU, cross, iterations=OPENING)
            for slice_ in hounsfield
        ]
    )
    parts, _ = ndimage.label(dense)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    body = (sizes >= max(1, SMALLEST_PART * sizes.max()))[parts]
    for slice_, inside in zip(hounsfield, body, strict=True):
        slice_[~ndimage.binary_fill_holes(inside)] = 0


def window(hounsfield: npt.NDArray[np.int16]) -> npt.NDArray[np.uint8]:
    """Clip to the window and scale to 0..255 (Milara 2024, equation 1).

    Args:
        hounsfield: (Z, Y, X) int16.

    Returns:
        (Z, Y, X) uint8.
    """
    low, high = WINDOW_HU
    grey = np.empty(hounsfield.shape, np.uint8)
    for k, slice_ in enumerate(hounsfield):
        clipped = np.clip(slice_, low, high).astype(np.float32)
        grey[k] = np.round((clipped - low) / (high - low) * 255)
    return grey
