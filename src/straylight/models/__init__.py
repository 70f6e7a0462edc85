"""Classifiers: the network, its preprocessing, its card, and its readers."""
