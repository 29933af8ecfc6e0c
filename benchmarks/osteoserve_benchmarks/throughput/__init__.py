"""Many clients at once: volumes an hour, how long each waits, and how busy Triton is."""
