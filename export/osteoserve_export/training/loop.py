"""Training the U-Net: one process on a CPU, every random number from one seed."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from osteoserve_export.architectures.unet import UNet
from osteoserve_export.errors import RecipeError
from osteoserve_export.training.augmentation import AugmentationOptions, Batch, augment
from osteoserve_export.training.recipe import TrainingOptions
from osteoserve_export.training.sampling import CropOptions, CropSource, draw_crops
from osteoserve_preprocessing.core import Window


@dataclass(frozen=True)
class Progress:
    """Where a training stands.

    Args:
        step: Steps done.
        steps: Steps to do.
        loss: Mean over the steps since the last report.
        seconds: Time since the start.
        network: As it would be returned now; changes with the next step.
    """

    step: int
    steps: int
    loss: float
    seconds: float
    network: UNet


def train(
    sources: Sequence[CropSource],
    options: TrainingOptions,
    *,
    window: Window | None = None,
    strength: float = 1.0,
    initial: UNet | None = None,
    compiled: bool = False,
    report_every: int = 100,
    on_progress: Callable[[Progress], None] | None = None,
) -> UNet:
    """Train a U-Net.

    Args:
        sources: Studies to cut crops from.
        options: Settings; the same settings, sources and number of threads on the same machine
            give the same weights.
        window: Range of HU that the network sees; 0..300 unless given.
        strength: Of crops and augmentation, 1 in full; see their ``milder``.
        initial: Network to go on from; a new one unless given. It is not changed.
        compiled: Let torch compile the network: a fifth faster, needs a C++ compiler.
        report_every: Steps between two reports.
        on_progress: Called with every report.

    Returns:
        The network with the moving average of its weights, in evaluation mode.

    Raises:
        RecipeError: There is nothing to train on.
    """
    if not sources:
        raise RecipeError("no studies to train on")
    torch.manual_seed(options.seed)
    random = np.random.default_rng(options.seed)
    network = copy.deepcopy(initial) if initial else UNet(options.first_channels)
    network.train()
    for parameter in network.parameters():
        # Height and width outside, channels inside: a fifth faster on a CPU.
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    averaged = copy.deepcopy(network).eval()
    forward = torch.compile(network) if compiled else network
    optimiser = torch.optim.AdamW(
        network.parameters(), options.learning_rate, weight_decay=options.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser,
        options.learning_rate,
        total_steps=options.cycle_steps or options.steps,
        pct_start=0.15,
    )
    crop = CropOptions(size=options.crop).milder(strength)
    augmentation, window = AugmentationOptions().milder(strength), window or Window()
    started, losses = time.monotonic(), []
    for step in range(1, options.steps + 1):
        crops = draw_crops(sources, options.batch, crop, random)
        batch = augment(crops, augmentation, window, random)
        loss = segmentation_loss(forward(batch.grey.to(memory_format=torch.channels_last)), batch)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        schedule.step()
        _average(averaged, network, min(options.average, step / (step + 9.0)))
        losses.append(float(loss.detach()))
        if on_progress and (step % report_every == 0 or step == options.steps):
            seconds = time.monotonic() - started
            on_progress(Progress(step, options.steps, float(np.mean(losses)), seconds, averaged))
            losses.clear()
    return averaged


def segmentation_loss(logits: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Cross-entropy plus soft Dice loss over the whole batch (Milletari 2016).

    Args:
        logits: (N, 1, S, S) float.
        batch: Targets, and where they are known.

    Returns:
        Scalar; pixels whose target is unknown have no part in it.
    """
    known = batch.known
    entropy = functional.binary_cross_entropy_with_logits(logits, batch.target, reduction="none")
    mean_entropy = (entropy * known).sum() / known.sum().clamp(min=1.0)
    probability, target = torch.sigmoid(logits) * known, batch.target * known
    overlap = 2.0 * (probability * target).sum() + 1.0
    dice = overlap / (probability.sum() + target.sum() + 1.0)
    return mean_entropy + 1.0 - dice


@torch.no_grad()
def _average(averaged: UNet, network: UNet, decay: float) -> None:
    """Move the averaged weights, and the statistics of batch normalisation, towards the new."""
    for old, new in zip(averaged.state_dict().values(), network.state_dict().values(), strict=True):
        if old.dtype.is_floating_point:
            old.lerp_(new, 1.0 - decay)
        else:
            old.copy_(new)
