"""What can be seen of a model repository before Triton is started with it."""

from __future__ import annotations

from pathlib import Path

from osteoserve_preprocessing.errors import TritonStartError

#: The profile for which a model may have a plain config.pbtxt and no other.
DEFAULT_PROFILE = "cpu"


def check_repository(repository: Path, profile: str) -> None:
    """Refuse a repository that Triton would serve, but not as it was asked to.

    Triton takes config.pbtxt without a word where a model has no configuration of the profile's
    name, and starts with an empty repository.

    Raises:
        TritonStartError: There is no model in it, or a model lacks the profile.
    """
    models = model_folders(repository)
    if not models:
        raise TritonStartError(f"no model (a folder with a config.pbtxt) in {repository}")
    for model in models:
        profiles = sorted(path.stem for path in model.glob("configs/*.pbtxt"))
        plain = profile == DEFAULT_PROFILE and not profiles
        if profile not in profiles and not plain:
            raise TritonStartError(
                f"model {model.name} has no profile {profile!r} (it has: {', '.join(profiles)})"
            )


def model_folders(repository: Path) -> list[Path]:
    """Folders of the models in a repository, sorted by name."""
    return sorted(path.parent for path in repository.glob("*/config.pbtxt"))
