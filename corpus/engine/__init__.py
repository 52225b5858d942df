"""Runs tasks whose outputs are named by their inputs: resume, caching and incremental builds are one mechanism."""
