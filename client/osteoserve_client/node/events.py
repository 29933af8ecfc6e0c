"""The node's log: one line an event, words and numbers only, nothing of a patient."""

from __future__ import annotations

import logging
from typing import TextIO

logger = logging.getLogger("osteoserve.node")


def log_to(stream: TextIO) -> None:
    """Write the node's events to a stream, and nothing that a library says: it may quote headers.

    highdicom, for one, logs UIDs of its sources.
    """
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    # Without any handler the loggers of libraries would write warnings to standard error.
    logging.getLogger().addHandler(logging.NullHandler())


def event(name: str, /, *, level: int = logging.INFO, **words: object) -> None:
    """Log one event.

    Args:
        name: What happened, as "received".
        level: Of logging.
        words: What is said of it. Free text, such as an error's, comes last by the name of why.
    """
    told = "".join(f" {key}={_shown(value)}" for key, value in words.items())
    logger.log(level, "event=%s%s", name, told)


def warn(name: str, /, **words: object) -> None:
    """Log an event that somebody should look at."""
    event(name, level=logging.WARNING, **words)


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    text = " ".join(str(value).split())
    if text and " " not in text and '"' not in text:
        return text
    return '"' + text.replace('"', "'") + '"'
