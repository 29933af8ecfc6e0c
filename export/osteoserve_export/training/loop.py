"""Training a network: one process on a CPU, every random number from one seed."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from osteoserve_export.errors import RecipeError
from osteoserve_export.training.augmentation import AugmentationOptions, Batch, augment
from osteoserve_export.training.network import new_network
from osteoserve_export.training.optimisation import Optimisation
from osteoserve_export.training.recipe import TrainingOptions
from osteoserve_export.training.sampling import CropOptions, CropSource, draw_crops

#: Norm that the gradient is limited to.
LARGEST_GRADIENT: Final = 5.0


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
    network: nn.Module


def train(
    sources: Sequence[CropSource],
    options: TrainingOptions,
    *,
    strength: float = 1.0,
    initial: nn.Module | None = None,
    compiled: bool = False,
    report_every: int = 100,
    on_progress: Callable[[Progress], None] | None = None,
) -> nn.Module:
    """Train a network.

    Args:
        sources: Studies to cut crops from.
        options: Settings; the same settings, sources and number of threads on the same machine
            give the same weights.
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
    network = copy.deepcopy(initial) if initial else new_network(options)
    network.train()
    optimisation = Optimisation(
        network,
        learning_rate=options.learning_rate,
        weight_decay=options.weight_decay,
        cycle_steps=options.cycle_steps or options.steps,
        average=options.average,
        largest_gradient=LARGEST_GRADIENT,
    )
    forward = torch.compile(network) if compiled else network
    crop = CropOptions(size=options.crop).milder(strength)
    augmentation, window = AugmentationOptions().milder(strength), options.window
    started, losses = time.monotonic(), []
    for step in range(1, options.steps + 1):
        crops = draw_crops(sources, options.batch, crop, random)
        batch = augment(crops, augmentation, window, random)
        loss = segmentation_loss(forward(batch.grey.to(memory_format=torch.channels_last)), batch)
        optimisation.step(loss)
        losses.append(float(loss.detach()))
        if on_progress and (step % report_every == 0 or step == options.steps):
            seconds = time.monotonic() - started
            mean = float(np.mean(losses))
            on_progress(Progress(step, options.steps, mean, seconds, optimisation.averaged))
            losses.clear()
    return optimisation.averaged


def segmentation_loss(logits: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Cross-entropy plus soft Dice loss over the whole batch (Milletari 2016).

    Args:
        logits: (N, K, S, S) float: of a sigmoid for one region (K = 1), of a softmax over
            background and regions for more (K = R + 1).
        batch: Targets, and where they are known.

    Returns:
        Scalar; pixels whose target is unknown have no part in it. Dice is the mean over the classes
        of the batch, or that of the one region.
    """
    known = batch.known
    if logits.shape[1] == 1:
        target, probability = batch.target, torch.sigmoid(logits)
        entropy = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    else:
        target, probability = class_shares(batch.target), torch.softmax(logits, dim=1)
        entropy = functional.cross_entropy(logits, target, reduction="none")[:, None]
    mean_entropy = (entropy * known).sum() / known.sum().clamp(min=1.0)
    probability, target = probability * known, target * known
    totals = [target[:, k].sum() for k in range(target.shape[1])]
    counted = [k for k, total in enumerate(totals) if len(totals) == 1 or total > 0]
    dice = [
        (2.0 * (probability[:, k] * target[:, k]).sum() + 1.0)
        / (probability[:, k].sum() + totals[k] + 1.0)
        for k in counted
    ]
    return mean_entropy + 1.0 - torch.stack(dice).mean() if dice else mean_entropy


def class_shares(regions: torch.Tensor) -> torch.Tensor:
    """What share of a pixel belongs to each class.

    Args:
        regions: (N, R, S, S) float, 0..1, each region inside the one before.

    Returns:
        (N, R + 1, S, S) float, 0..1, with sum 1: background, then what of each region is not of the
        next one.
    """
    everywhere, nowhere = torch.ones_like(regions[:, :1]), torch.zeros_like(regions[:, :1])
    return torch.cat([everywhere, regions], dim=1) - torch.cat([regions, nowhere], dim=1)
