"""``osteoserve node``: the DICOM node, and what there is to say of its jobs."""

from osteoserve_client.cli.node.command import node

__all__ = ["node"]
