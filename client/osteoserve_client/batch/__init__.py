"""Many studies at a time, each one job, in a folder that survives whatever ends the process.

Start at ``run.py``; ``search.py`` says what becomes a job, ``folders.py`` when an output is there.
"""
