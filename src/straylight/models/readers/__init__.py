"""Readers of model files, one file a kind."""
