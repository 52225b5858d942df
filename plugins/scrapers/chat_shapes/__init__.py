"""Shapes in which people keep conversations, one file a shape: how its records are found in a file, and what a record says."""
