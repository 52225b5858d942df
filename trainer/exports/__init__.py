"""A run's model in the forms that other programs read, and the proof that each says what the run says."""
