"""The learning rate at each step of a training."""

import math

from straylight.training.recipe import Recipe


def learning_rate(recipe: Recipe, step: int, steps_per_epoch: int) -> float:
    """Return the learning rate of a step, counted from 0 over all epochs."""
    if recipe.schedule == "one-cycle":
        return one_cycle(step, recipe.epochs * steps_per_epoch, recipe.learning_rate)
    drops = sum(step >= drop * steps_per_epoch for drop in recipe.drops)
    return recipe.learning_rate * 0.1**drops / (1 + recipe.decay * step)


def one_cycle(step: int, steps: int, peak: float) -> float:
    """Learning rate at `step`: a linear rise over the first 15 %, then half a cosine to zero."""
    rise = 0.15 * steps
    if step < rise:
        return peak * (step + 1) / (rise + 1)
    return peak * 0.5 * (1 + math.cos(math.pi * (step - rise) / (steps - rise)))
