"""Attacks, controls, and the adaptation of photographs."""
