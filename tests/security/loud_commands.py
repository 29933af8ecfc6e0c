"""Runs commands of ``osteoserve`` one after the other, and has everything said that can be.

Takes a JSON list of lists of arguments; prints the exit code of each.
"""

from __future__ import annotations

import json
import logging
import sys
import warnings

from osteoserve_client.cli import main

if __name__ == "__main__":
    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr, force=True)
    logging.captureWarnings(capture=False)
    for arguments in json.loads(sys.argv[1]):
        sys.argv[1:] = arguments
        warnings.simplefilter("always")
        sys.stderr.write(f"== {arguments[0]}\n")
        try:
            main()
        except SystemExit as leave:
            sys.stdout.write(f"\n{arguments[0]} ended with {leave.code}\n")
        sys.stdout.flush()
