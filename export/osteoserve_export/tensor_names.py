"""Names of an exported file's tensors."""

from typing import Final

INPUT: Final = "slices"
LABELS: Final = "labels"
PROBABILITIES: Final = "probabilities"

#: Only in the file that the proof is made with, never in what is served.
LOGITS: Final = "logits"
