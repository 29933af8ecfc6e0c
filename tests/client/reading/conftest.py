"""Checks that every test of a refusal makes: typed, one line, named, and silent on the patient."""

from __future__ import annotations

import logging
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from osteoserve_client.errors import OsteoserveError
from osteoserve_client.reading import read_study
from tests.client.reading.ct_series import CANARY

Refuses = Callable[..., str]


@pytest.fixture
def refuses(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Refuses:
    """``refuses(path, Error, "words", **options)``: reading raises exactly that, and no more."""

    def check(
        path: Path,
        error: type[OsteoserveError],
        words: str,
        read: Callable[..., object] = read_study,
        **options: object,
    ) -> str:
        caplog.set_level(logging.DEBUG)
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            with pytest.raises(error) as raised:
                read(path, **options)
        message = str(raised.value)
        assert raised.type is error
        assert words in message
        assert "\n" not in message
        said = [*traceback.format_exception(raised.value), caplog.text, *capfd.readouterr()]
        said += [str(warning.message) for warning in warned]
        assert CANARY not in "".join(said)
        return message

    return check
