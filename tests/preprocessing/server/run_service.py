"""Runs one service with settings that the command does not offer; stops when stdin ends."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from osteoserve_preprocessing.server import Limits, Settings
from osteoserve_preprocessing.server.app import run
from osteoserve_preprocessing.server.observability.logs import log_to_standard_error

PATHS = {"repository", "tls_certificate", "tls_key", "tls_client_ca", "tokens", "audit_log"}


def announce(address: str) -> None:
    sys.stdout.write(json.dumps({"address": address}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    chosen = json.loads(sys.argv[1])
    limits = Limits(**chosen.pop("limits", {}))
    for name in PATHS & chosen.keys():
        chosen[name] = Path(chosen[name])
    settings = Settings(port=0, limits=limits, **chosen)
    log_to_standard_error(form=settings.log_format, level=settings.log_level)
    run(settings, announce=announce, until_stdin_ends=True)
