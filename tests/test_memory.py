"""Freed memory is used again: counted in page faults of the kernel, not in seconds."""

import subprocess
import sys

import pytest

SCRIPT = """
import resource, torch
from straylight.memory import keep_freed_memory
{call}
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    torch.zeros(16_000_000).add(1)
rounds = []
for _ in range(11):
    before = faults()
    torch.zeros(16_000_000).add(1)
    rounds.append(faults() - before)
print(sorted(rounds)[5])
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc only")
def test_steps_cause_no_page_faults() -> None:
    """Two tensors of 64 MB are 32,000 pages of 4 KiB, if they are mapped anew.

    The median of eleven rounds: the kernel may take pages back for reasons of its own, now and then.
    """
    found = [
        int(subprocess.check_output([sys.executable, "-c", SCRIPT.format(call=call)]))
        for call in ("", "keep_freed_memory()")
    ]
    assert found[0] > 50  # also with huge pages
    assert found[1] < 10
