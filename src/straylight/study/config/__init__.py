"""The study's file."""
