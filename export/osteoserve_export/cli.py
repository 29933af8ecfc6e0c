"""The commands of this package; none imports torch before it is called.

``train`` is part of the one command ``osteoserve``; all three are reached by
``python -m osteoserve_export``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

RECIPE = Path(__file__).parent / "training" / "recipes" / "unet_skeleton.toml"

folder = click.Path(path_type=Path, exists=True, file_okay=False)
existing_file = click.Path(path_type=Path, exists=True, dir_okay=False)
new_path = click.Path(path_type=Path)
recipe_option = click.option(
    "--recipe",
    type=existing_file,
    default=RECIPE,
    show_default="the shipped model's",
    help="Recipe (TOML).",
)
checkpoint_option = click.option(
    "--checkpoint", type=existing_file, required=True, help="Weights (.safetensors)."
)
threads_option = click.option("--threads", type=click.IntRange(1), help="Threads of torch.")


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn the errors of this package, and of the preprocessing, into one line and exit code 1."""
    from osteoserve_export.errors import ExportError
    from osteoserve_preprocessing.errors import PreprocessingError

    try:
        yield
    except (ExportError, PreprocessingError) as error:
        raise click.ClickException(str(error)) from error


@click.command("train", short_help="Train the skeleton U-Net on images and labels.")
@click.option("--data", type=folder, help="Folder that the recipe's studies lie in.")
@click.option(
    "--pairs",
    type=folder,
    multiple=True,
    help="Folder of study folders, each with image/ (DICOM) or image.nii.gz, and labels.nii.gz.",
)
@recipe_option
@click.option("--hold-out", metavar="STUDY", help="Study of the recipe that must not be seen.")
@click.option("--steps", type=click.IntRange(1), help="Of the first stage, not the recipe's.")
@click.option(
    "--start-from",
    type=existing_file,
    help="Weights after the first stage; only the refinement is run.",
)
@click.option(
    "--first-cycle",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="First cycle of the refinement, where --start-from went through earlier ones.",
)
@threads_option
@click.option("--compiled", is_flag=True, help="Compile the network (needs a C++ compiler).")
@click.option("--out", type=new_path, required=True, help="Weights to write (.safetensors).")
def train(
    data: Path | None,
    pairs: tuple[Path, ...],
    recipe: Path,
    hold_out: str | None,
    steps: int | None,
    start_from: Path | None,
    first_cycle: int,
    threads: int | None,
    compiled: bool,
    out: Path,
) -> None:
    """Train the skeleton U-Net on images and labels.

    The seeds are the recipe's: the same data, settings and number of threads on the same machine
    give the same weights.
    """
    from osteoserve_export.training.run import TrainingRun, run_training

    run = TrainingRun(
        recipe=recipe,
        data=data,
        pairs=pairs,
        hold_out=hold_out,
        steps=steps,
        start_from=start_from,
        first_cycle=first_cycle,
        threads=threads,
        compiled=compiled,
        out=out,
    )
    with one_line_errors():
        run_training(run, say=click.echo)


@click.command("evaluate", short_help="Compare a network's masks with references.")
@checkpoint_option
@click.option("--data", type=folder, required=True, help="Folder that the studies lie in.")
@recipe_option
@click.option("--study", "names", multiple=True, help="Only these studies of the recipe.")
@threads_option
def evaluate(
    checkpoint: Path, data: Path, recipe: Path, names: tuple[str, ...], threads: int | None
) -> None:
    """Segment the recipe's studies as they are served, and print one line of figures each."""
    from osteoserve_export.training.run import run_evaluation

    with one_line_errors():
        run_evaluation(checkpoint, recipe, data, names, threads=threads, say=click.echo)


@click.command("publish", short_help="Export a network into the Triton model repository.")
@checkpoint_option
@click.option("--card", type=existing_file, required=True, help="Model card (Markdown).")
@click.option("--repository", type=new_path, required=True, help="Triton model repository.")
def publish(checkpoint: Path, card: Path, repository: Path) -> None:
    """Export to ONNX, prove that the masks stay the same, and write the model's folder."""
    from osteoserve_export.publish import run_publishing

    with one_line_errors():
        run_publishing(checkpoint, card, repository, say=click.echo)


@click.group()
def main() -> None:
    """Train, evaluate and publish the networks of Osteoserve."""


for command in (train, evaluate, publish):
    main.add_command(command)
