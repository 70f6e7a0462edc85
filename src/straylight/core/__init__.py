"""Shared foundations: errors, tensors, files, JSON and progress."""
