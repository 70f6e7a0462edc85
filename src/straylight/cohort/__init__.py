"""Labelled medical images. Lower packages, including the attacks, cannot import this package."""
