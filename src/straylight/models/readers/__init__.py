"""Readers of model files, one module per format."""
