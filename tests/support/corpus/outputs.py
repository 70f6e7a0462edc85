"""Networks of users' own whose outputs are wrapped, squeezed, of another kind, or no classifier's."""

from collections.abc import Iterator

import numpy as np

from corpus import Case

MODULE = """import sys
from types import SimpleNamespace

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.convolution, self.linear = nn.Conv2d(3, 4, 3), nn.Linear(4, {n})
        self.calls = 0

    def logits(self, x):
        return 20 * self.linear(self.convolution(x).relu().mean((2, 3)))

    def forward(self, x):
        self.calls += 1
        y = self.logits(x)
        return {body}


def make():
    return {made}
"""
# By name: what the forward pass returns, and what comes of it. `x` are the images, `y` the logits.
BODIES = {
    "plain": ("y", "read"),
    "squeezed": ("y.squeeze()", "read"),
    "maps": ("y[:, :, None, None]", "read"),
    "double": ("y.double()", "read"),
    "pair": ("(y, x)", "read"),
    "single": ("[[y]]", "read"),
    "key": ("{'features': y, 'logits': y}", "read"),
    "other_key": ("{'out': y, 'features': x}", "read"),
    "attribute": ("SimpleNamespace(logits=y)", "read"),
    "viewed": ("20 * self.linear(self.convolution(x).view(len(x), 4, -1).mean(2))", "read"),
    "strides": ("self.logits(x.as_strided(x.shape, (192, 64, 8, 1)))", "read"),
    "in_place": ("self.logits(x.mul_(2))", "read"),
    "twice": ("(y, y)", "refused"),
    "twice_keys": ("{'first': y, 'second': y}", "refused"),
    "empty": ("()", "refused"),
    "nothing": ("None", "refused"),
    "text": ("'\\x1b[31mcat'", "refused"),
    "numbers": ("y.argmax(1)", "refused"),
    "truth": ("y > 0", "refused"),
    "complex": ("y + 1j", "refused"),
    "sparse": ("y.to_sparse()", "refused"),
    "array": ("y.detach().numpy()", "refused"),
    "turned": ("y.T", "refused"),
    "mean_row": ("y.mean(0, keepdim=True)", "refused"),
    "elsewhere": ("y.to('meta')", "refused"),
    "nan": ("y * torch.nan", "refused"),
    "infinite": ("y + torch.inf", "refused"),
    "alone": ("y / (len(x) > 1) if len(x) > 1 else 1 // 0", "refused"),
    "neighbours": ("y - y.mean(0)", "refused"),
    "over_batch": ("3 * y.softmax(0)", "refused"),
    "alone_otherwise": ("y if len(x) > 1 else -y", "refused"),
    "counted": ("y + self.calls", "refused"),
    "random": ("y + torch.randn_like(y)", "refused"),
    "detached": ("y.detach()", "refused"),
    "leaves": ("sys.exit(3)", "refused"),
    "long": ("{}['\\n' + 'x' * 9000]", "refused"),
    "own_grad": ("torch.autograd.grad(y.sum(), x)", "refused"),
}
MADE = {
    "halved": ("Net().half()", "read"),
    "bfloat": ("Net().bfloat16()", "read"),
    "doubled": ("Net().double()", "read"),
    "parallel": ("nn.DataParallel(Net())", "read"),
    "weights": ("Net().state_dict()", "refused"),
    "its_class": ("Net", "refused"),
    "number": ("7", "refused"),
    "ends": ("sys.exit(0)", "refused"),
    "lazy": ("nn.Sequential(nn.Flatten(), nn.LazyLinear(2))", "refused"),
    "on_meta": ("Net().to('meta')", "refused"),
}


def cases(rng: np.random.Generator) -> Iterator[Case]:
    for name, (body, expected) in BODIES.items():
        yield module(name, expected, body=body)
    for name, (made, expected) in MADE.items():
        yield module(name, expected, made=made)
    for n in (1, 3, 5):
        yield module(f"outputs{n}", "read" if n == 1 else "refused", n=n)


def module(name: str, expected: str, *, body: str = "y", made: str = "Net()", n: int = 2) -> Case:
    text = MODULE.format(body=body, made=made, n=n)
    return Case(f"outputs/own_{name}.py", text.encode(), expected)
