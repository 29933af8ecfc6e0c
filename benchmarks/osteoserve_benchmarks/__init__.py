"""How fast the whole way is, measured: ours, beside the ways that a user would go without us."""
