"""``python -m osteoserve_export.train``: the same as ``osteoserve train``."""

from osteoserve_export.cli import train

if __name__ == "__main__":
    train()
