"""Rows of one key together: neighbours, mappings, folds, and groups on disk."""
