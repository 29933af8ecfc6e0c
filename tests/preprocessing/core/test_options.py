from __future__ import annotations

import pytest

from osteoserve_preprocessing.core import (
    Normalisation,
    PreprocessingOptions,
    StretcherMethod,
    Window,
)
from osteoserve_preprocessing.errors import OptionError


def test_defaults_are_the_papers_with_the_more_robust_stretcher() -> None:
    options = PreprocessingOptions()
    assert options.window == Window(0, 300)
    assert options.stretcher is StretcherMethod.BODY
    assert options.normalisation is Normalisation.INTERPATIENT
    assert not options.clip_femur_to_head


@pytest.mark.parametrize(
    ("lower", "upper"), [(300, 0), (5, 5), (0.5, 300), (-40000, 300), (0, 40000), (True, 300)]
)
def test_impossible_windows_are_refused(lower: int, upper: int) -> None:
    with pytest.raises(OptionError, match="window limits"):
        Window(lower, upper)
