"""Metrics, scoring, and preflight checks."""
