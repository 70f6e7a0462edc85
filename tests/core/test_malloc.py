"""Freed memory is used again: counted in page faults of the kernel, not in seconds."""

import subprocess
import sys

import pytest

SCRIPT = """
import resource, torch
from straylight.core.malloc import keep_freed_memory
{call}
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
# Holes a little larger than what is to fit in: a small block that comes to lie in one does no harm,
# where it would else split the heap's only free part and have it grow, once, by a tensor.
kept = [torch.zeros(17_000_000) for _ in range(8)]
del kept[::2]
for _ in range(2):  # the first time is the warm-up: it does all that the second does
    before = faults()
    for _ in range(10):
        torch.zeros(16_000_000).add(1)
    found = faults() - before
print(found)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc only")
def test_steps_cause_no_page_faults() -> None:
    """Ten times two tensors of 64 MB are 320,000 pages of 4 KiB, if they are mapped anew."""
    found = [
        int(subprocess.check_output([sys.executable, "-c", SCRIPT.format(call=call)]))
        for call in ("", "keep_freed_memory()")
    ]
    assert found[0] > 1_000  # also with huge pages
    assert found[1] < 100
