"""The fixed phases, in the order of `corpus.pipeline`."""
