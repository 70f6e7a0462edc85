"""Attacks of a user's own, each a module with a class `Own`: sound, and wrong in one way each."""

from collections.abc import Iterator

import numpy as np

from corpus import Case

SOUND = """
from dataclasses import dataclass
from pathlib import Path
import numpy as np
import torch
from straylight import Snapshot, InputError, Gradient

@dataclass(frozen=True)
class Own:
    steps: int = 3
    threat_model = "T1"
    takes_target = False

    def planned(self, n_photographs, n_classes, cost=2):
        return self.steps

    def __call__(self, classifier, photographs, ball, *, target, generator):
        for step in range(self.steps):
            delta = ball.project(torch.randn(1, *photographs.shape, generator=generator))
            yield Snapshot(delta, step + 1)
"""
READ = {
    "sound": ("", ""),
    "plain": (
        "@dataclass(frozen=True)\nclass Own:\n    steps: int = 3",
        "class Own:\n    steps = 3",
    ),
    "list": ("    steps: int = 3", "    steps: int = 3\n    sizes: tuple = (1, 2.5, 'x')"),
    "numpy-setting": (
        "    steps: int = 3",
        "    steps: int = 3\n    rate: float = np.float32(0.5)",
    ),
    "path-setting": ("    steps: int = 3", "    steps: int = 3\n    file: Path = Path('a')"),
    "named": ("    steps: int = 3", "    steps: int = 3\n    name: str = 'gradient'"),
    "escape": ("    steps: int = 3", "    steps: int = 3\n    word: str = '\\x1b[31m\\u202e'"),
    "double": ("Snapshot(delta, ", "Snapshot(delta.double(), "),
    "pair": ("Snapshot(delta, step + 1)", "(delta, np.int64(step + 1))"),
    "graph": ("Snapshot(delta, ", "Snapshot(delta.requires_grad_(), "),
    "returns": (
        "            yield Snapshot(delta, step + 1)",
        "        return [Snapshot(delta, 3)]",
    ),
    "of-the-catalogue": (SOUND[SOUND.index("@data") :], "class Own(Gradient):\n    pass\n"),
}
REFUSED = {
    "empty": (SOUND, ""),
    "syntax": ("class Own:", "class Own"),
    "raises-at-import": ("class Own:", "class Own:\n    raise RuntimeError('no\\nno')"),
    "exits": ("import torch", "import torch, this_is_no_module"),
    "function": ("@dataclass(frozen=True)\nclass Own:", "def Own():\n  class Other:"),
    "needs-setting": ("    steps: int = 3", "    steps: int"),
    "no-threat-model": ('    threat_model = "T1"', ""),
    "other-threat-model": ('"T1"', '"T0"'),
    "number-threat-model": ('"T1"', "[1]"),
    "no-takes-target": ("    takes_target = False", ""),
    "wordy-takes-target": ("takes_target = False", "takes_target = 'no'"),
    "raising-takes-target": (
        "takes_target = False",
        "@property\n    def takes_target(self): raise OSError('x' * 9999)",
    ),
    "no-planned": ("def planned", "def plan"),
    "planned-takes-less": ("n_photographs, n_classes, cost=2", ""),
    "planned-nothing": ("return self.steps", "return None"),
    "planned-half": ("return self.steps", "return 0.5"),
    "planned-negative": ("return self.steps", "return -1"),
    "planned-raises": ("return self.steps", "return 1 // 0"),
    "not-callable": ("def __call__", "def call"),
    "call-takes-less": ("ball, *, target, generator", "*, generator"),
    "yields-nothing": ("range(self.steps)", "range(0)"),
    "returns-nothing": ("            yield Snapshot(delta, step + 1)", "            pass"),
    "yields-tensor": ("Snapshot(delta, step + 1)", "delta"),
    "yields-none": ("Snapshot(delta, step + 1)", "None"),
    "yields-array": ("Snapshot(delta, ", "Snapshot(delta.numpy(), "),
    "yields-batch": ("Snapshot(delta, ", "Snapshot(delta.repeat(2, 1, 1, 1), "),
    "yields-flat": ("Snapshot(delta, ", "Snapshot(delta.flatten(), "),
    "yields-integers": ("Snapshot(delta, ", "Snapshot(delta.long(), "),
    "yields-nan": ("Snapshot(delta, ", "Snapshot(delta * float('nan'), "),
    "yields-infinity": ("Snapshot(delta, ", "Snapshot(delta / 0, "),
    "over-budget": ("Snapshot(delta, ", "Snapshot(delta * 1.01, "),
    "falls": ("step + 1)", "3 - step)"),
    "counts-in-words": ("step + 1)", "str(step))"),
    "counts-in-halves": ("step + 1)", "step / 2)"),
    "counts-too-far": ("step + 1)", "10**30)"),
    "raises": ("            yield", "            raise KeyError('\\x1b[31m' * 999)\n            yield"),
    "unprintable-error": (
        "            yield",
        "            raise type('E\\n', (Exception,), {})('a\\nb')\n            yield",
    ),
    "stops-early": ("            yield", "            raise StopIteration\n            yield"),
    "changes-weights": (
        "            yield",
        "            next(classifier.network.parameters()).add_(1)\n            yield",
    ),
    "starts-training": ("            yield", "            classifier.network.train()\n            yield"),
    "tensor-setting": ("    steps: int = 3", "    steps: int = 3\n    t: object = torch.ones(3)"),
    "nan-setting": ("    steps: int = 3", "    steps: int = 3\n    rate: float = float('nan')"),
    "huge-setting": ("    steps: int = 3", "    steps: int = 3\n    n: int = 10**5000"),
    "long-setting": ("    steps: int = 3", "    steps: int = 3\n    w: tuple = ('x' * 60_000,) * 9"),
    "deep-setting": (
        "    steps: int = 3",
        "    steps: int = 3\n    w: tuple = ((((((((((((1,),),),),),),),),),),),)",
    ),
}  # fmt: skip


def cases(rng: np.random.Generator) -> Iterator[Case]:
    for expected, changes in (("read", READ), ("refused", REFUSED)):
        for name, (old, new) in changes.items():
            assert old in SOUND, name
            text = SOUND.replace(old, new, 1) if old else SOUND
            yield Case(f"attacks/{name.replace('-', '_')}.py", text.encode(), expected)
