"""Options, noise and functions that return networks, for `load_model`."""

import torch

from straylight.models.options import ModelOptions

NOISE = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
MODULE = """
import torch
from torch import nn
from straylight import Classifier

class Level(nn.Module):
    def forward(self, images):
        level = images.mean((1, 2, 3))
        return torch.stack([-level, level], 1)

def level(): return Level()
def softmax(): return nn.Sequential(Level(), nn.Softmax(1))
class One(nn.Module):
    def forward(self, images):
        return 4 * (images.mean((1, 2, 3)) - 0.5)

def single(): return One()
def findings(): return nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 3), nn.Sigmoid())
def whole(): return Classifier(Level(), shape=(3, 32, 32), class_names=("dark", "light"))
def number(): return 7
def broken(): raise RuntimeError("no such disk")
def features(): return nn.Conv2d(3, 4, 3)
"""


def options(**changes: object) -> ModelOptions:
    fields: dict[str, object] = {
        "classes": ("a", "b"),
        "size": 32,
        "mean": (0.0,) * 3,
        "std": (1.0,) * 3,
    }
    return ModelOptions(**(fields | changes))  # type: ignore[arg-type]
