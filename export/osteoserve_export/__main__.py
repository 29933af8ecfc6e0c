"""``python -m osteoserve_export``: train, evaluate, publish."""

from osteoserve_export.cli import main

if __name__ == "__main__":
    main(prog_name="osteoserve-export")
