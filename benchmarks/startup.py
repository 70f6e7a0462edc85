"""Measure the start of commands: CPU seconds until the help, a report or the state of a study is printed.

python benchmarks/startup.py --audit audits/skin --study studies/small
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

LIMITS = {"import": 0.3, "help": 0.5, "read": 1.5}  # CPU seconds
HELP = [
    [],
    *(["demo"], ["audit"], ["preflight"], ["finetune"], ["report"], ["attacks"]),
    *(["study"], ["study", "status"], ["study", "tables"], ["study", "report"]),
]
WRONG = [["audti"], ["audit", "--zetta", "1"], ["finetune"]]


def measure_cpu_seconds(words: list[str], repeats: int) -> float:
    """Return the least CPU seconds, user and system, of several runs of a Python command."""
    used = []
    for _ in range(repeats):
        before = os.times()
        subprocess.run([sys.executable, *words], capture_output=True, check=False)
        after = os.times()
        used.append(sum(after[2:4]) - sum(before[2:4]))
    return min(used)


def main() -> None:
    """Print a table of CPU seconds."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--audit", type=Path, help="folder of an audit, for straylight report")
    parser.add_argument("--study", type=Path, help="folder of a study, for straylight study status")
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    cases = [("import", ["-c", "import straylight"])]
    cases += [("help", ["-m", "straylight", *words, "--help"]) for words in HELP]
    cases += [("help", ["-m", "straylight", *words]) for words in WRONG]
    if given.audit is not None:
        cases.append(("read", ["-m", "straylight", "report", str(given.audit)]))
    if given.study is not None:
        cases.append(("read", ["-m", "straylight", "study", "status", str(given.study)]))
    print("| command | CPU s | at most |\n| --- | --- | --- |")
    for kind, words in cases:
        seconds = measure_cpu_seconds(words, given.repeats)
        print(f"| {' '.join(words[1:])} | {seconds:.2f} | {LIMITS[kind]:.1f} |")


if __name__ == "__main__":
    main()
