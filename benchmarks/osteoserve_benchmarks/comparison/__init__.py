"""Whether a run is slower than an earlier one, beyond the noise that both measured."""
