"""Keeps what libraries print, log and raise away from messages: it may hold a patient's name.

pydicom quotes the offending value in its warnings, log lines and exceptions; a damaged header
can put a name into any of them.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from osteoserve_client.errors import InputError, OsteoserveError

#: Loggers of the libraries that read headers and pixels, each the parent of its library's others.
_LIBRARY_LOGGERS = ("pydicom", "pylibjpeg", "openjpeg", "nibabel.global", "PIL")


@contextmanager
def silenced_libraries() -> Iterator[None]:
    """Nothing that a library warns of or logs while headers are read reaches anyone.

    Reading a dataset's values later can warn again (pydicom decodes them when they are first
    asked for), so whoever uses ``Study.datasets`` does it inside this as well. Like
    ``warnings.catch_warnings``, on which it rests, it acts on the whole process.
    """
    loggers = [logging.getLogger(name) for name in _LIBRARY_LOGGERS]
    before = [(logger.propagate, logger.disabled) for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            # Propagation too: disabling a logger does not stop what its children pass up.
            logger.propagate, logger.disabled = False, True
        try:
            yield
        finally:
            for logger, (propagate, disabled) in zip(loggers, before, strict=True):
                logger.propagate, logger.disabled = propagate, disabled


@contextmanager
def refusing(error: type[InputError], message: str) -> Iterator[None]:
    """Turns whatever a library raises on a damaged file into one refusal in our own words.

    Args:
        error: What to raise instead.
        message: Its one line.

    Raises:
        InputError: ``error(message)``, for every exception that is not already one of ours.
    """
    try:
        yield
    except OsteoserveError:
        raise
    # A damaged file makes parsers raise nearly anything (struct.error, KeyError, RecursionError,
    # zlib.error, RuntimeError from C++ ...). Not chained: the cause's words hold values.
    except Exception:  # noqa: BLE001
        raise error(message) from None
