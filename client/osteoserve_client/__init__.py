"""Client of the Osteoserve preprocessing service, and the ``osteoserve`` command."""
