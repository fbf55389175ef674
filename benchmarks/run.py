"""Run all benchmarks, and print a page of tables.

    python benchmarks/run.py [--quick] [--out DIR] [--only PART ...]

Results: results.json with everything, the page as README.md, length.svg and batch.svg. With --only the other parts stay
as an earlier run on this machine left them. What fails is told and left out, and the exit status is then 1. Nothing
else should run meanwhile.
"""

from __future__ import annotations

import json
import re
import sys
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import curves
import kernels
import levels
import machine
import report
import speed
import startup
from common import fresh, parser, thread_counts
from opponents import OPPONENTS

PARTS = ("speed", "levels", "startup", "kernels", "curves")
Attempt = Callable[[str, Callable[[], dict[str, Any]]], dict[str, Any]]


def main() -> int:
    """Return the exit status."""
    options = parser(__doc__)
    options.add_argument("--out", type=Path, help="folder of results (default: beside the exported models)")
    options.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART",
                         help=f"of {', '.join(PARTS)}")
    chosen = options.parse_args()
    cache, quick = chosen.cache, chosen.quick
    out = chosen.out or cache / ("quick" if quick else "results")
    out.mkdir(parents=True, exist_ok=True)
    results = earlier(out / "results.json", {"machine": fresh(machine.measure), "quick": quick, "failures": {}})
    if results["machine"]["load"] > 0.5:
        print(f"the load average is {results['machine']['load']:.1f}: something else runs, the numbers will be off")

    def attempt(part: str, name: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        print(f"{name} …", flush=True)
        try:
            return work()
        except Exception as error:
            traceback.print_exc()
            message = without_paths(f"{name}: {type(error).__name__}: {error}")
            results["failures"].setdefault(part, []).append(message)
            return {}

    for part in chosen.only:
        results["failures"].pop(part, None)
        if part == "speed":
            results[part] = speed_of_all(partial(attempt, part), cache, quick)
        else:
            results[part] = attempt(part, part, {
                "levels": lambda: levels.run(cache, *speed.settings(quick)),
                "startup": lambda: startup.run(cache, 3 if quick else 15),
                "kernels": lambda: kernels.run(cache, 5 if quick else 50),
                "curves": lambda: curves.run(cache, **curves.settings(quick)),
            }[part])
    (out / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    plots = curves.plot(results["curves"], out) if results.get("curves") else []
    page = report.page(results, plots)
    (out / "README.md").write_text(page, encoding="utf-8")
    print(f"{page}\nwritten into {out}")
    return 1 if results["failures"] else 0


def speed_of_all(attempt: Attempt, cache: Path, quick: bool) -> list[dict[str, Any]]:
    """Measure every opponent on every number of threads."""
    rows = []
    for name, kind in OPPONENTS.items():
        for threads in thread_counts():
            result = attempt(f"{name}, threads: {threads}",
                             partial(speed.run, name, cache, threads, *speed.settings(quick)))
            rows.append(result or {"title": kind.title, "threads": threads})
            if result.get("missing"):
                break
    return rows


def earlier(path: Path, here: dict[str, Any]) -> dict[str, Any]:
    """Return the results of an earlier run of this kind on this CPU with these versions, or `here` alone."""
    results: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    of_then, of_now = results.get("machine", {}), here["machine"]
    same = results.get("quick") == here["quick"] and all(
        of_then.get(key) == of_now[key] for key in ("cpu", "cores", "features", "versions"))
    return results | {"machine": of_now} if same else here


def without_paths(text: str) -> str:
    """Return a message without the paths of this machine."""
    return re.sub(r"(?:[A-Za-z]:)?(?:[/\\][\w.+-]+){2,}", "…", text)


if __name__ == "__main__":
    sys.exit(main())
