"""``python -m osteoserve_client`` is the ``osteoserve`` command."""

from osteoserve_client.cli import main

main()
