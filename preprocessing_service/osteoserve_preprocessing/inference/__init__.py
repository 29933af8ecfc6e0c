"""Asking Triton: what a model is, and what it answers."""
