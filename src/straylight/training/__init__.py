"""How a classifier is trained: the recipe, its draws and changes of images, and the run."""
