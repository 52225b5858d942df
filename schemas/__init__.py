"""Contracts as data: recipe, tables, manifest, errors, and where things lie on disk. No network, no heavy imports."""
