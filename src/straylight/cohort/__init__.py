"""Labelled medical images. Nothing below this package, and so no attack, can import it."""
