"""Photographs and drawings, the only images that attacks learn from, and their cache."""
