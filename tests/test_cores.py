"""How many cores there are: affinity and control groups' quotas of both versions, as far out as they lie."""

import os

import pytest

from nerlite import cores

UNLIMITED = "-1\n"


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A function that makes a machine of eight cores: what /proc/self says, and control groups' files."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(cores.os, "sched_getaffinity", lambda _: range(8), raising=False)
    monkeypatch.setattr(cores, "_PROCESS", str(tmp_path))

    def make(groups, mounts, files):
        (tmp_path / "cgroup").write_text(groups)
        (tmp_path / "mountinfo").write_text("22 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n" + "".join(
            f"3{i} 23 0:28 {root} {tmp_path}/{folder} rw,relatime shared:9 - {system} {system} {options}\n"
            for i, (root, folder, system, options) in enumerate(mounts)))
        for name, content in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(content)

    return make


V2 = [("/", "sys", "cgroup2", "rw,nsdelegate")]
V1 = [("/", "cpuset", "cgroup", "rw,cpuset"), ("/", "cpu", "cgroup", "rw,cpu,cpuacct"), *V2]


@pytest.mark.parametrize(("groups", "mounts", "files", "expected"), [
    # A container of cgroup v2, at the root of what it sees; quotas round down, to one at least; no limit.
    ("0::/\n", V2, {"sys/cpu.max": "300000 100000\n"}, 3),
    ("0::/\n", V2, {"sys/cpu.max": "50000 100000\n"}, 1),
    ("0::/\n", V2, {"sys/cpu.max": "290000 100000\n"}, 2),
    ("0::/\n", V2, {"sys/cpu.max": "max 100000\n"}, 8),
    ("0::/\n", V2, {"sys/cpu.max": "1600000 100000\n"}, 8),
    # A service in a slice of systemd's: the least of all around it counts.
    ("0::/batch.slice/tag.service\n", V2, {"sys/batch.slice/cpu.max": "200000 100000\n",
                                           "sys/batch.slice/tag.service/cpu.max": "max 100000\n"}, 2),
    ("0::/batch.slice/tag.service\n", V2, {"sys/batch.slice/cpu.max": "400000 100000\n",
                                           "sys/batch.slice/tag.service/cpu.max": "300000 100000\n"}, 3),
    ("0::/other.slice\n", V2, {"sys/batch.slice/cpu.max": "200000 100000\n"}, 8),
    # cgroup v1, with v2 beside it for other kinds; a group's path may have a colon.
    ("4:cpu,cpuacct:/job:1\n2:cpuset:/\n0::/\n", V1,
     {"cpu/cpu.cfs_quota_us": UNLIMITED, "cpu/cpu.cfs_period_us": "100000",
      "cpu/job:1/cpu.cfs_quota_us": "150000\n", "cpu/job:1/cpu.cfs_period_us": "50000\n"}, 3),
    ("4:cpu,cpuacct:/job\n", V1, {"cpu/job/cpu.cfs_quota_us": UNLIMITED, "cpu/job/cpu.cfs_period_us": "100000"}, 8),
    # A container without a namespace of its own: the mount's root is its group, and the path is the host's.
    ("4:cpu,cpuacct:/docker/abc\n", [("/docker/abc", "cpu", "cgroup", "rw,cpu,cpuacct")],
     {"cpu/cpu.cfs_quota_us": "100000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1),
    # Nonsense is no limit.
    ("0::/\n", V2, {"sys/cpu.max": "many\n"}, 8),
    ("nonsense\n", V2, {"sys/cpu.max": "100000 100000\n"}, 8),
    ("4:cpu:/\n", V1, {"cpu/cpu.cfs_quota_us": "100000\n", "cpu/cpu.cfs_period_us": "0\n"}, 8),
])
def test_a_control_groups_quota_is_kept(machine, groups, mounts, files, expected):
    machine(groups, mounts, files)
    assert cores.available_cores() == expected


def test_affinity_and_the_users_own_limit_are_kept(machine, monkeypatch):
    machine("0::/\n", V2, {"sys/cpu.max": "600000 100000\n"})
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert cores.available_cores() == 5
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert cores.available_cores() == 6
    monkeypatch.setattr(cores.os, "sched_getaffinity", lambda _: {3}, raising=False)
    assert cores.available_cores() == 1


def test_where_nothing_is_told_all_cores_are_used(monkeypatch, tmp_path):
    monkeypatch.setattr(cores, "_PROCESS", str(tmp_path / "nowhere"))
    monkeypatch.delattr(cores.os, "sched_getaffinity", raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert cores.available_cores() == os.cpu_count()
