"""Compares label maps with references: figures by label, by fold, and agreement of sizes.

``docs/evaluation.md`` says what is compared, how, and what each figure means.
"""

from osteoserve_client.evaluation.document import evaluation_document
from osteoserve_client.evaluation.evaluation import Evaluation
from osteoserve_client.evaluation.names import parse_names
from osteoserve_client.evaluation.outputs import write_evaluation
from osteoserve_client.evaluation.run import evaluate

__all__ = ["Evaluation", "evaluate", "evaluation_document", "parse_names", "write_evaluation"]
