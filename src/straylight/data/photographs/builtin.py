"""Specs and files of the built-in images. Importable without torch."""

PHOTOS = "builtin:photos"
# The ordinary photographs in scikit-image's wheel. Its retina, histology, cell and phantom images are
# omitted, since the attacker has no medical images.
PHOTO_FILES = (
    "astronaut.png",
    "brick.png",
    "camera.png",
    "chelsea.png",
    "clock_motion.png",
    "coffee.png",
    "coins.png",
    "grass.png",
    "gravel.png",
    "motorcycle_left.png",
    "rocket.jpg",
)
DRAWING_SPECS = ("builtin:noise", "builtin:jigsaw", "builtin:dead-leaves")
