"""``osteoserve train`` and ``evaluate``: the recipe says whether it is about a detector."""

from __future__ import annotations

from collections.abc import Callable

import torch

from osteoserve_export.errors import RecipeError
from osteoserve_export.training.run import (
    EvaluationRun,
    TrainingRun,
    run_evaluation,
    run_training,
)
from osteoserve_export.training.scintigraphy.recipe import is_scintigraphy_recipe
from osteoserve_export.training.scintigraphy.run import (
    run_detector_evaluation,
    run_detector_training,
)

Say = Callable[[str], None]


def start_training(run: TrainingRun, *, say: Say) -> None:
    """Train what the recipe asks for, and save it.

    Args:
        run: What to do.
        say: Called with each line of progress.

    Raises:
        ExportError: Of the kind that says what went wrong.
    """
    if run.threads:
        torch.set_num_threads(run.threads)
    if not is_scintigraphy_recipe(run.recipe):
        run_training(run, say=say)
        return
    _refuse(
        {
            "--data": run.data,
            "--hold-out": run.hold_out,
            "--start-from": run.start_from,
            "--first-cycle": run.first_cycle > 1,
        }
    )
    run_detector_training(
        run.recipe, run.pairs, run.out, steps=run.steps, compiled=run.compiled, say=say
    )


def start_evaluation(run: EvaluationRun, *, say: Say) -> None:
    """Print figures of a checkpoint on what the recipe names, or on bone scans.

    Args:
        run: What to do.
        say: Called with each line.

    Raises:
        ExportError: Of the kind that says what went wrong.
    """
    if run.threads:
        torch.set_num_threads(run.threads)
    if not is_scintigraphy_recipe(run.recipe):
        run_evaluation(run, say=say)
        return
    _refuse({"--data": run.data, "--study": run.names})
    run_detector_evaluation(run.checkpoint, run.recipe, run.pairs, say=say)


def _refuse(given: dict[str, object]) -> None:
    """Nothing that is asked for is left out in silence."""
    meaningless = [option for option, value in given.items() if value]
    if meaningless:
        raise RecipeError(f"a detector's recipe takes --pairs, not {', '.join(meaningless)}")
