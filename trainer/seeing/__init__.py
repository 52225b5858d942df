"""A run's journal, and what shows it: progress, plots, trackers, comparison."""
