"""Photographs and drawings, which is all that an attack learns on, and their cache."""
