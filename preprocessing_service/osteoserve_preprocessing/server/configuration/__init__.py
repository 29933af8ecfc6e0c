"""What the operator chooses: by flag, environment variable or file, in this order of precedence.

``options`` lists every setting, ``file`` reads those of a file, ``configuration`` puts them
together and knows where each one came from.
"""

from osteoserve_preprocessing.server.configuration.configuration import (
    Configuration,
    Row,
    parameters,
)

__all__ = ["Configuration", "Row", "parameters"]
