"""Where there is little: nothing to write to, no home, no locale, no /proc, no directory, little memory, few cores."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import nerlite

ROOT = Path(__file__).parent.parent
TEXT = "Angela Merkel flew from Berlin to Müller in Zürich. \U0001f600 " * 20
# Tags, and prints what it found as ASCII; a function of the test's own may spoil the world before.
CODE = """
import sys
{before}
import json, nerlite
{between}
tagger = nerlite.load(threads=2, backend={backend!r})
{after}
print(json.dumps([[e.start, e.end, e.label, e.score] for e in tagger({text!a}).entities]))
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits and name spaces are Linux's")


@pytest.fixture(scope="module")
def expected():
    return [[e.start, e.end, e.label, e.score] for e in nerlite.load(threads=1)(TEXT).entities]


def run(before="", between="", after="", prefix=(), environment=None, backend="auto", **options):
    """What a process finds in the text."""
    code = CODE.format(before=before, between=between, after=after, backend=backend, text=TEXT)
    environment = {"PYTHONPATH": str(ROOT)} if environment is None else environment
    done = subprocess.run([*prefix, sys.executable, "-c", code], env=environment, text=True, capture_output=True,
                          timeout=300, **options)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


def test_without_variables_home_or_locale(expected):
    assert run() == expected
    assert run(environment={"PYTHONPATH": str(ROOT), "HOME": "/nowhere", "TMPDIR": "/nowhere", "LC_ALL": "C",
                            "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "XDG_CACHE_HOME": "/nowhere"}) == expected


def test_where_no_byte_can_be_written(expected):
    """Not even where permissions do not bind the superuser."""
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))"
    assert run(before=limit) == expected


def test_in_a_directory_that_is_gone(expected, tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    asks = f"import json, os; os.rmdir({str(gone)!r})\ntry: json.nothing\nexcept AttributeError: pass"
    if subprocess.run([sys.executable, "-c", asks], cwd=gone, capture_output=True).returncode:
        pytest.skip("this Python cannot ask a module for what it has not: python/cpython#130932")
    gone.mkdir()
    assert run(before=f"import os; os.rmdir({str(gone)!r})", cwd=gone) == expected


def test_with_closed_standard_streams_and_a_strict_umask(expected):
    before = "import os; os.umask(0o777); os.close(0); os.close(2)"
    assert run(before=before) == expected


def test_with_few_descriptors(expected):
    limit = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (12, 12))"
    assert run(before=limit) == expected


def test_in_256_megabytes_more_than_the_model_needs(expected):
    """Of address space, which threads' stacks and arenas of the allocator take as well.

    NumPy's OpenBLAS takes 40 MB more for each processor, which the native backend has no use for.
    """
    environment = {"PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    size = sum(path.stat().st_size for path in Path(nerlite.load().path).iterdir())
    limit = ("import resource; taken = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize(); "
             f"resource.setrlimit(resource.RLIMIT_AS, (taken + {size + (256 << 20)},) * 2)")
    assert run(between=limit, environment=environment) == expected
    assert run(between=limit, after=f"assert len(tagger({TEXT!a} * 300).entities) == 300 * {len(expected)}",
               environment=environment) == expected


def test_without_proc_and_with_a_read_only_file_system(expected):
    if not shutil.which("unshare"):
        pytest.skip("no unshare")
    mounts = "mount -t tmpfs none /proc && mount -t tmpfs none /tmp && mount -o remount,bind,ro / && exec \"$@\""
    prefix = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mounts, "sh"]
    if subprocess.run([*prefix, sys.executable, "-c", f"import os; os.stat({str(ROOT)!r})"],
                      capture_output=True).returncode:
        pytest.skip("no name spaces for users here, or this checkout is in /tmp")
    hidden = "import os; assert not os.path.exists('/proc/self') and not os.access('/tmp/x', os.W_OK)"
    found = run(before=hidden, prefix=prefix, backend="numpy")  # a level of CPU is known by /proc alone
    assert [entity[:3] for entity in found] == [entity[:3] for entity in expected]
    assert [entity[3] for entity in found] == pytest.approx([entity[3] for entity in expected], abs=1e-4)


def test_a_second_interpreter_in_the_process_is_refused_and_changes_nothing(expected):
    """NumPy works in one alone."""
    other = f"""
import os, sys
sys.path.insert(0, {str(ROOT)!r})
said = b"loaded"
try:
    import nerlite
    nerlite.load(threads=1)
except ImportError as error:
    said = str(error).encode()[-1000:]
os.write({{}}, said)
"""
    ask = f"""
import os
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
tagger({TEXT!a})
reading, writing = os.pipe()
number = interpreters.create()
interpreters.run_string(number, {other!r}.format(writing))
interpreters.destroy(number)
said = os.read(reading, 1000)
assert b"interpreters" in said or said == b"cannot load module more than once per process", said
"""
    assert run(after=ask) == expected


def test_a_quota_that_comes_and_goes_after_loading(expected):
    """A control group's, of either version, whose processes then have a fifth of a core."""
    for root, quota in (("/sys/fs/cgroup/cpu", "cpu.cfs_quota_us"), ("/sys/fs/cgroup", "cpu.max")):
        group = Path(root, f"nerlite-{os.getpid()}")
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            if not (group / quota).exists():
                continue
            less = f"open({str(group / 'cgroup.procs')!r}, 'w').write('0'); open({str(group / quota)!r}, 'w').write"
            more = {"cpu.max": "max", "cpu.cfs_quota_us": "-1"}[quota]
            after = f"{less}('20000'); found = tagger({TEXT!a}).entities; {less}('{more}')"
            assert run(after=f"{after}; assert found == tagger({TEXT!a}).entities") == expected
            return
        finally:
            group.rmdir()
    pytest.skip("no control group can be made here")


def test_cores_that_come_and_go_after_loading(expected):
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("one core")
    change = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})"
    assert run(after=change) == expected
    assert run(before=change, after="os.sched_setaffinity(0, range(os.cpu_count()))") == expected
