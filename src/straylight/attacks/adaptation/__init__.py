"""Photographs adapted to a classifier, without a medical image."""
