"""A whole archive of studies, one job each."""
