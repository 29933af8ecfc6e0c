"""Keeps what the libraries underneath would print of a patient from being printed."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from pydicom import config


@contextmanager
def no_values_in_warnings() -> Iterator[None]:
    """Let pydicom and highdicom build and write a data set without quoting the source's values.

    pydicom warns of, and logs, a value that its VR forbids: validation is off inside. highdicom
    quotes in a warning the name of a patient who has only one: that warning is silenced. Both
    are the source's own, and carried over to the letter on purpose (`dicom_source`).
    """
    with config.disable_value_validation(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The string .* is unlikely to represent")
        yield
