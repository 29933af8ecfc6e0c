"""Proof that an exported model answers as the network did."""
