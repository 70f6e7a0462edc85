"""What loading photographs takes: decoded, with an empty cache, and from the cache, in CPU seconds.

    python benchmarks/loading.py --natural photos/ --size 128 --audit 100

The share is that of an audit of `--audit` seconds (the `seconds` in its `audit.json` add up to it).
"""

import argparse
import os
import tempfile
import time

from straylight import load_natural
from straylight.formats.selection import SETTLED
from straylight.sources.cache import VARIABLE


def measured(name: str, natural: str, size: int, audit: float, *, cache: bool = True) -> None:
    """Load photographs once and print a line of a Markdown table."""
    cpu, wall = time.process_time(), time.perf_counter()
    n = len(load_natural(natural, (3, size, size), cache=cache))
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    print(f"| {name} | {n} | {cpu:.2f} | {wall:.2f} | {100 * cpu / audit:.2f} % |", flush=True)


def main() -> None:
    """Measure in a cache of its own."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--natural", required=True)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--audit", type=float, default=100.0)
    given = parser.parse_args()
    time.sleep(SETTLED)
    print("| | photographs | CPU seconds | seconds | share of the audit |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        os.environ[VARIABLE] = folder
        run = (given.natural, given.size, given.audit)
        measured("decoded, without a cache", *run, cache=False)
        measured("the first time, into the cache", *run)
        measured("from the cache", *run)
        measured("from the cache, once more", *run)


if __name__ == "__main__":
    main()
