"""Training and evaluating the networks: data, recipes, augmentation, the loop."""
