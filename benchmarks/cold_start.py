"""The cold start of an AWS Lambda function, from the start of its Python to its first answer.

    python tools/bundle.py function
    python benchmarks/cold_start.py function [--runs N]

Fresh processes in 512 MB import the handler out of the bundle's folder and answer an event of an HTTP API; they see no
other packages, no home and no cache. Before every other run the folder's files are dropped from the system's cache, as
they are not there when Lambda has only just fetched a function. What Lambda needs before it starts a Python, some 0.1
to 0.5 seconds more for the machine and the code, is not in it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

TEXT = "Angela Merkel flew from Berlin to Washington."
FUNCTION = """
import json, resource, sys, time
resource.setrlimit(resource.RLIMIT_AS, (512 << 20, 512 << 20))
sys.path.append(sys.argv[1])
from nerlite.integrations.aws_lambda import handler
ready = time.time()
event = {"version": "2.0", "requestContext": {"http": {"method": "POST"}}, "body": json.dumps({"text": sys.argv[2]})}
answer = handler(event, None)
answered = time.time()
assert len(json.loads(answer["body"])["entities"]) == 3, answer
handler(event, None)
peak = int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) * 1024 / 1e6
usage = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps([ready, answered, time.time(), usage.ru_utime + usage.ru_stime, peak]))
"""
COLUMNS = ("until it is ready", "and has answered", "a second answer", "CPU", "MB at most")


def run(folder: Path) -> list[float]:
    """Start a function; return seconds until it is ready, until it has answered, of a second answer, of CPU; and MB."""
    started = time.time()
    done = subprocess.run([sys.executable, "-I", "-S", "-c", FUNCTION, folder, TEXT], capture_output=True, text=True,
                          check=True, cwd="/", env={"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001"})
    ready, answered, again, cpu, megabytes = json.loads(done.stdout)
    return [ready - started, answered - started, again - answered, cpu, megabytes]


def forget(folder: Path) -> None:
    """Drop the folder's files from the system's cache."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def main() -> None:
    """Measure and print medians."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=Path, help="what tools/bundle.py wrote")
    options.add_argument("--runs", type=int, default=10)
    chosen = options.parse_args()
    folder = chosen.folder.resolve()
    measured: dict[str, list[list[float]]] = {"not in the system's cache": [], "in the system's cache": []}
    for _ in range(chosen.runs):
        forget(folder)
        for rows in measured.values():
            rows.append(run(folder))
    print(f"| seconds, files | {' | '.join(COLUMNS)} |\n| --- |{' ---: |' * len(COLUMNS)}")
    for name, rows in measured.items():
        *seconds, megabytes = (statistics.median(column) for column in zip(*rows, strict=True))
        print(f"| {name} | {' | '.join(f'{each:.3f}' for each in seconds)} | {megabytes:.0f} |")


if __name__ == "__main__":
    main()
