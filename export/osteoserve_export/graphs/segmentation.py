"""The network as it is served: bytes in, labels out, all arithmetic inside."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from osteoserve_export.architectures import size_multiple_of
from osteoserve_export.errors import ArchitectureError
from osteoserve_export.graphs.channels import input_channels, output_classes
from osteoserve_export.graphs.folding import fold_batch_norm
from osteoserve_export.graphs.space_to_depth import space_to_depth as in_blocks

Activation = Literal["threshold", "argmax"]

#: Labels are bytes.
MOST_CLASSES: Final = 256


class SegmentationGraph(nn.Module):
    """A network with the scale before it and the decision behind it, batch normalisation folded.

    Args:
        network: (N, C, H, W) float to (N, K, H, W) logits, in evaluation mode; it is copied, not
            changed. Grey is repeated where it takes three channels.
        activation: ``threshold`` on the sigmoid of one channel, or ``argmax`` over several, of
            which channel 0 is background and the lowest wins a tie.
        threshold: Probability above which a pixel is foreground (``threshold`` only).
        probabilities: Whether the graph has the probabilities as a second output.
        mean: Subtracted from grey values 0..1 before the network, as in its training; one number,
            or one for each channel.
        std: What they are divided by after that.
        space_to_depth: Whether level 0 of a U-Net is computed in blocks of 2x2 pixels.
        size_multiple: What H and W must be multiples of; what the network says unless given.

    Attributes:
        folding: Which batch normalisations were folded, and how exactly.
        classes: K, the network's output channels.

    Raises:
        ArchitectureError: The network does not do this.
    """

    scale: Tensor
    shift: Tensor

    def __init__(
        self,
        network: nn.Module,
        *,
        activation: Activation = "threshold",
        threshold: float = 0.5,
        probabilities: bool = False,
        mean: float | Sequence[float] = 0.0,
        std: float | Sequence[float] = 1.0,
        space_to_depth: bool = False,
        size_multiple: int | None = None,
    ) -> None:
        super().__init__()
        multiple = size_multiple or size_multiple_of(network)
        channels = input_channels(network, size_multiple=multiple)
        self.classes = output_classes(network, channels, size_multiple=multiple)
        self.activation, self.probabilities = activation, probabilities
        self._check_classes()
        self.limit = math.log(threshold / (1.0 - threshold))
        means, stds = _for_channels(mean, channels), _for_channels(std, channels)
        self.register_buffer("scale", (1.0 / (255.0 * stds)).float(), persistent=False)
        self.register_buffer("shift", (-means / stds).float(), persistent=False)
        self._shifted = bool(means.any())
        if space_to_depth:
            network = in_blocks(network)
        self.folding = fold_batch_norm(network, self._grey(_trial_slices(multiple)))
        self.network = self.folding.network
        self.eval()

    @property
    def folded(self) -> int:
        """Batch normalisations that were folded into convolutions."""
        return len(self.folding.folded)

    def forward(self, slices: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Segment slices.

        Args:
            slices: (N, H, W) uint8, grey values over the window; H and W multiples of what the
                network needs.

        Returns:
            Labels (N, H, W) uint8, 0 background; with ``probabilities`` also those, (N, K, H, W)
            float32, 0..1.
        """
        answer = self.answer(self.logits(slices))
        return answer if self.probabilities else answer[0]

    def logits(self, slices: Tensor) -> Tensor:
        """The network's output, before any decision.

        Args:
            slices: As for ``forward``.

        Returns:
            (N, K, H, W) float32.
        """
        logits: Tensor = self.network(self._grey(slices))
        return logits

    def answer(self, logits: Tensor) -> tuple[Tensor, ...]:
        """What is answered to logits.

        Args:
            logits: (N, K, H, W) float32.

        Returns:
            Labels, and with ``probabilities`` also those, as from ``forward``.
        """
        if self.activation == "argmax":
            labels = first_greatest(logits)
        else:
            labels = (logits[:, 0] > self.limit).to(torch.uint8)
        if not self.probabilities:
            return (labels,)
        sigmoid = self.activation == "threshold"
        return labels, torch.sigmoid(logits) if sigmoid else torch.softmax(logits, dim=1)

    @torch.no_grad()
    def segment(self, slices: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Segment slices that are NumPy arrays.

        Args:
            slices: (N, H, W) uint8, as for ``forward``.

        Returns:
            (N, H, W) uint8, labels.
        """
        labels: npt.NDArray[np.uint8] = self.answer(self.logits(torch.from_numpy(slices)))[
            0
        ].numpy()
        return labels

    def _grey(self, slices: Tensor) -> Tensor:
        """(N, C, H, W) float32, what the network was trained on."""
        # Float first: TensorRT does nothing with bytes but make floats of them.
        grey = slices.to(torch.float32).unsqueeze(1)
        # Not by a product with three scales: OpenVINO takes such a product into the convolution
        # after it, which then misses two channels.
        grey = torch.cat([grey] * self.scale.shape[1], dim=1) * self.scale
        return grey + self.shift if self._shifted else grey

    def _check_classes(self) -> None:
        if self.activation == "threshold" and self.classes != 1:
            raise ArchitectureError(
                f"threshold decides on one output channel; the network has {self.classes}: "
                "use argmax"
            )
        if self.activation == "argmax" and not 1 < self.classes <= MOST_CLASSES:
            raise ArchitectureError(
                f"argmax needs 2 to {MOST_CLASSES} output channels; the network has {self.classes}"
            )


def first_greatest(logits: Tensor) -> Tensor:
    """The channel that is greatest in each pixel, the lowest where several are.

    A chain of comparisons, since an argmax over channels reads memory in the wrong order: for 3
    classes at 512x512 on one core, behind a 1x1 convolution, it cost 12 ms a slice in OpenVINO,
    2 to 6 ms in ONNX Runtime and 60 ms in torch; the chain 3, 1 and 5 ms. It counts in float32
    because TensorRT does not compute in bytes.

    Args:
        logits: (N, K, H, W) float, K at least 2.

    Returns:
        (N, H, W) uint8.
    """
    greatest, label = logits[:, 0], (logits[:, 1] > logits[:, 0]).to(logits.dtype)
    for channel in range(2, logits.shape[1]):
        greatest = torch.maximum(greatest, logits[:, channel - 1])
        label = torch.where(logits[:, channel] > greatest, float(channel), label)
    return label.to(torch.uint8)


def _for_channels(values: float | Sequence[float], channels: int) -> Tensor:
    """(1, C, 1, 1) float64."""
    numbers = torch.as_tensor(values, dtype=torch.float64).reshape(1, -1, 1, 1)
    if numbers.shape[1] not in (1, channels):
        raise ArchitectureError(
            f"{numbers.shape[1]} values of mean or std for a network with {channels} channels"
        )
    return numbers.expand(1, channels, 1, 1).contiguous()


def _trial_slices(multiple: int) -> Tensor:
    """(2, H, W) uint8: one slice of noise, one with a slope and bright rectangles."""
    size = 4 * multiple
    noise = torch.randint(0, 256, (size, size), generator=torch.Generator().manual_seed(0))
    structured = torch.linspace(0, 120, size).repeat(size, 1)
    structured[size // 8 : size // 2, size // 4 : size // 2] = 255
    structured[size // 2 :, size // 8 : size // 5] = 200
    return torch.stack([noise, structured]).to(torch.uint8)
