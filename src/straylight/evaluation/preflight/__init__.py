"""Checks of a classifier and its images before any attack."""
