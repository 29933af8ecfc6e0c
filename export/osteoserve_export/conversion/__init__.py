"""From a serving graph to a file that a runtime loads."""
