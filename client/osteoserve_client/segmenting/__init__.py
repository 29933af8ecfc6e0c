"""One input from its files to its outputs, with whatever service: headless, the one way there is.

Start at ``whole.py``.
"""
