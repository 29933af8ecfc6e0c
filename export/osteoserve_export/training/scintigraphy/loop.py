"""Training Mask R-CNN: one process on a CPU, every random number from one seed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection._utils import BalancedPositiveNegativeSampler

from osteoserve_export.architectures.mask_rcnn import new_mask_rcnn
from osteoserve_export.errors import RecipeError
from osteoserve_export.training.optimisation import Optimisation
from osteoserve_export.training.scintigraphy.augmentation import Sample, draw_sample
from osteoserve_export.training.scintigraphy.pairs import ScintigraphyPair
from osteoserve_export.training.scintigraphy.recipe import ScintigraphyRecipe


@dataclass(frozen=True)
class DetectorProgress:
    """Where a training stands.

    Args:
        step: Steps done.
        steps: Steps to do.
        losses: Mean of each of torchvision's losses since the last report.
        seconds: Time since the start.
        network: As it would be returned now; changes with the next step.
    """

    step: int
    steps: int
    losses: dict[str, float]
    seconds: float
    network: MaskRCNN


def train_detector(
    pairs: Sequence[ScintigraphyPair],
    recipe: ScintigraphyRecipe,
    *,
    compiled: bool = False,
    report_every: int = 50,
    on_progress: Callable[[DetectorProgress], None] | None = None,
) -> MaskRCNN:
    """Train a Mask R-CNN from random weights.

    Args:
        pairs: Bone scans with their regions.
        recipe: Settings; the same settings, pairs and number of threads on the same machine give
            the same weights.
        compiled: Let torch compile the backbone; needs a C++ compiler.
        report_every: Steps between two reports.
        on_progress: Called with every report.

    Returns:
        The network with the moving average of its weights, in evaluation mode.

    Raises:
        RecipeError: There is nothing to train on.
    """
    if not pairs:
        raise RecipeError("no bone scans to train on")
    torch.manual_seed(recipe.seed)
    random = np.random.default_rng(recipe.seed)
    network = _network(recipe).train()
    optimisation = Optimisation(
        network,
        learning_rate=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
        cycle_steps=recipe.steps,
        average=recipe.average,
        largest_gradient=recipe.largest_gradient,
    )
    if compiled:
        network.backbone.compile()
    started, seen = time.monotonic(), []
    for step in range(1, recipe.steps + 1):
        drawn = random.integers(len(pairs), size=recipe.batch)
        samples = [draw_sample(pairs[n], recipe.augmentation, random) for n in drawn]
        losses = network([sample.image for sample in samples], [_target(s) for s in samples])
        optimisation.step(sum(losses.values()))
        seen.append({name: float(loss.detach()) for name, loss in losses.items()})
        if on_progress and (step % report_every == 0 or step == recipe.steps):
            means = {name: float(np.mean([each[name] for each in seen])) for name in losses}
            seconds = time.monotonic() - started
            on_progress(DetectorProgress(step, recipe.steps, means, seconds, optimisation.averaged))
            seen.clear()
    return optimisation.averaged


def _network(recipe: ScintigraphyRecipe) -> MaskRCNN:
    """A new network; in training it looks at fewer proposals than torchvision's defaults.

    An image has 22 regions at most, each in a place of its own, so hundreds of proposals teach no
    more than some dozens, and cost as much as the backbone.
    """
    network = new_mask_rcnn(recipe.form, recipe.options)
    network.rpn._pre_nms_top_n["training"] = 300
    network.rpn._post_nms_top_n["training"] = 200
    network.roi_heads.fg_bg_sampler = BalancedPositiveNegativeSampler(recipe.proposals, 0.5)
    return network


def _target(sample: Sample) -> dict[str, torch.Tensor]:
    return {"boxes": sample.boxes, "labels": sample.labels, "masks": sample.masks}
