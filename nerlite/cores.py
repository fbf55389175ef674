"""How many cores this process may use."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

from nerlite import environment

_PROCESS = "/proc/self"


def available_cores() -> int:
    """Return how many cores this process may use: its affinity, its control groups' quotas, OMP_NUM_THREADS."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for group in _control_groups():
        cores = min(cores, _quota(group) or cores)
    wanted = environment.read("OMP_NUM_THREADS")
    return min(cores, int(wanted)) if wanted.isdecimal() and int(wanted) else cores


def _control_groups() -> Iterator[str]:
    """Yield the folder of each control group that may limit this process's time: its own, and those around them.

    Source: Linux's cgroups(7) and proc(5), for both versions.
    """
    try:
        with open(f"{_PROCESS}/cgroup") as file:
            groups = [line.rstrip("\n").split(":", 2)[1:] for line in file if line.count(":") >= 2]
        with open(f"{_PROCESS}/mountinfo") as file:
            mounts = [line.split() for line in file if " - cgroup" in line]
    except (OSError, ValueError):  # no Linux, or one that does not tell
        return
    for (kinds, path), mount in itertools.product(groups, mounts):
        system, _, options = mount[-3:]
        if system == "cgroup2" if not kinds else "cpu" in kinds.split(",") and "cpu" in options.split(","):
            root, folder = mount[3:5]  # a container may be shown its own group as the root
            yield folder
            for part in path.removeprefix(root.rstrip("/")).split("/"):
                folder = f"{folder}/{part}"
                yield folder


def _quota(group: str) -> int | None:
    """Return how many whole cores a control group may use, at least one; None without a limit."""
    try:
        if os.path.exists(f"{group}/cpu.max"):
            with open(f"{group}/cpu.max") as file:
                quota, period = map(int, file.read().split())
        else:
            with open(f"{group}/cpu.cfs_quota_us") as quotas, open(f"{group}/cpu.cfs_period_us") as periods:
                quota, period = int(quotas.read()), int(periods.read())
    except (OSError, ValueError):  # such as "max"
        return None
    return max(1, quota // period) if quota > 0 and period > 0 else None
