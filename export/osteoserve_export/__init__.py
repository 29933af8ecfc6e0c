"""From a PyTorch network to a model that Triton serves: training, export, evaluation."""
