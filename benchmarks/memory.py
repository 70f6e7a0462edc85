"""Measure what keeping freed memory saves: CPU seconds of forward and backward passes.

python benchmarks/memory.py --model models/chest
"""

import argparse
import resource
import subprocess
import sys

import torch

from straylight import load_classifier
from straylight.core.malloc import keep_freed_memory
from straylight.models.folding import fold_batch_norms


def measure_cpu_seconds(model: str) -> float:
    """Return the CPU seconds of 8 forward and backward passes of 32 images, on one thread."""
    torch.set_num_threads(1)
    classifier = fold_batch_norms(load_classifier(model))
    images = torch.rand(32, *classifier.shape)
    delta = torch.zeros(1, *classifier.shape, requires_grad=True)
    used = []
    for n in (4, 8):  # the first four warm up
        before = resource.getrusage(resource.RUSAGE_SELF)
        for _ in range(n):
            torch.autograd.grad(classifier(images + delta).sum(), delta)
        after = resource.getrusage(resource.RUSAGE_SELF)
        used.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return used[-1]


def main() -> None:
    """Measure in two processes, since kept memory cannot be released."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--keep", choices=["yes", "no"], help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.keep is not None:
        if given.keep == "yes":
            keep_freed_memory()
        print(measure_cpu_seconds(given.model))
        return
    command = [sys.executable, __file__, "--model", given.model, "--keep"]
    kept, lost = (float(subprocess.check_output([*command, keep])) for keep in ("yes", "no"))
    print(f"kept {kept:.2f} s, given back {lost:.2f} s of CPU: {kept / lost:.2f} of it")


if __name__ == "__main__":
    main()
