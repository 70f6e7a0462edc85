"""Faults that users met, each as a test of its kind."""
