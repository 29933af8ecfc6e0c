from __future__ import annotations

import subprocess
import sys

from click.testing import CliRunner

from osteoserve_export.cli import main, train


def test_help_needs_no_torch():
    code = (
        "import sys; from osteoserve_export.cli import main\n"
        "try:\n    main(['train', '--help'])\nexcept SystemExit as end:\n    assert end.code == 0\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_nothing_to_train_on_is_one_line(tmp_path):
    answer = CliRunner().invoke(train, ["--out", str(tmp_path / "weights.safetensors")])
    assert answer.exit_code == 3
    assert answer.output.strip() == "Error: nothing to train on: give --data, --pairs or both"
    assert not (tmp_path / "weights.safetensors").exists()


def test_an_unknown_study_is_one_line(tmp_path):
    answer = CliRunner().invoke(
        main,
        ["train", "--data", str(tmp_path), "--hold-out", "x", "--out", str(tmp_path / "w")],
    )
    assert answer.exit_code == 3
    assert answer.output.strip() == "Error: the recipe has no study called x"
