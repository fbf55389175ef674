"""What `tools/bundle.py` makes: small, whole, and enough by itself where nothing can be written."""

import importlib.util
import json
import os
import shutil
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import nerlite
from nerlite.ops import cpu

ROOT = Path(__file__).parent.parent
TEXT = "My name is John and I live in Berlin."
# A function as a host would call it: the standard library, and one folder more.
FUNCTION = """
import json, sys
sys.path.append(sys.argv[1])
import nerlite
from importlib.metadata import version
print(json.dumps({
    "backend": nerlite.load().backend,
    "entities": [[e.text, e.label, e.start, e.end, e.score] for e in nerlite.load()(sys.argv[2]).entities],
    "versions": {name: version(name) for name in ("nerlite", "numpy", "tokenizers", "safetensors")},
    "files": {name: getattr(module, "__file__", None) for name, module in sys.modules.items()},
}))
"""


def run_tool(*arguments, **environment):
    return subprocess.run([sys.executable, ROOT / "tools" / "bundle.py", *arguments], capture_output=True, text=True,
                          env={**os.environ, **environment})


# AWS Lambda's side: a handler is imported, then called, in 512 MB.
LAMBDA = """
import json, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (512 << 20, 512 << 20))
sys.path.append(sys.argv[1])
from nerlite.integrations.aws_lambda import handler, tagger
assert tagger.cache_info().currsize == 1
event = {"version": "2.0", "requestContext": {"http": {"method": "POST"}}, "body": json.dumps({"text": sys.argv[2]})}
print(json.dumps(handler(event, None)))
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The bundle's folder, without write permissions, and what the tool printed."""
    parent = tmp_path_factory.mktemp("bundle")
    folder = parent / "function"
    done = run_tool(folder)
    if done.returncode:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
        needed = [*project["build-system"]["requires"], *project["project"]["dependencies"]]
        pip = subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--retries=0", "--no-deps",
                              "--dest", parent / "wheels", *needed], capture_output=True, text=True)
        if pip.returncode:
            pytest.skip(f"pip cannot get what a bundle is made of: {pip.stderr.strip().splitlines()[-1]}")
        pytest.fail(done.stderr)
    paths = [folder, *folder.rglob("*")]
    for path in paths:
        path.chmod(path.stat().st_mode & ~0o222)
    yield folder, done.stdout
    for path in paths:
        path.chmod(path.stat().st_mode | stat.S_IWUSR)
    shutil.rmtree(parent)  # too heavy to be kept as other tests' folders are


def listing(folder):
    return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in (folder, *folder.rglob("*"))}


def test_it_is_small_and_says_what_each_part_weighs(built):
    folder, printed = built
    lines = [line.split(" MB  ") for line in printed.splitlines()]
    assert {part for _, part in lines} == {
        "numpy", "tokenizers", "safetensors", "nerlite", "nerlite/models", "in all"}
    total = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert total <= 130e6
    *parts, whole = (float(megabytes) for megabytes, _ in lines)
    assert whole == pytest.approx(total / 1e6, abs=0.051)
    assert sum(parts) == pytest.approx(whole, abs=0.3)
    assert [path.name for path in folder.parent.iterdir()] == ["function"]
    assert not (folder / "nerlite" / "kernels").exists()


def test_it_tags_alone_and_writes_nothing(built, tmp_path):
    """Permissions do not bind the superuser, so the listing shows that nothing was written that could have been."""
    folder, _ = built
    before, nowhere = listing(folder), tmp_path / "nowhere"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", FUNCTION, folder, TEXT], cwd=folder, capture_output=True,
                          text=True, env={**os.environ, "HOME": str(nowhere), "XDG_CACHE_HOME": str(nowhere / "cache")})
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert listing(folder) == before
    assert not nowhere.exists()
    found = json.loads(done.stdout)
    assert [entity[:2] for entity in found["entities"]] == [["John", "PER"], ["Berlin", "LOC"]]
    assert found["backend"] == ("native" if cpu.cpu_level().machine else "numpy")
    assert found["versions"]["nerlite"] == nerlite.__version__
    assert not {"numba", "llvmlite", "huggingface_hub", "httpx"} & set(found["files"])
    for name in ("nerlite", "numpy", "tokenizers", "safetensors"):
        assert Path(found["files"][name]).is_relative_to(folder)

    for entity, expected in zip(found["entities"], nerlite.load()(TEXT).entities, strict=True):
        assert entity[:4] == [expected.text, expected.label, expected.start, expected.end]
        assert entity[4] == pytest.approx(expected.score, abs=1e-4)


def test_a_lambda_function_answers_from_it(built):
    """On a file system that is read-only to the superuser too, where this one may mount it so."""
    folder, _ = built
    command = [sys.executable, "-I", "-S", "-c", LAMBDA, folder, TEXT]
    alone = ["unshare", "--mount", "sh", "-c", 'mount -o remount,bind,ro / && ! touch / 2>&- && exec "$@"', "sh"]
    if shutil.which("unshare") and not subprocess.run([*alone, "true"], capture_output=True).returncode:
        command = [*alone, *command]
    done = subprocess.run(command, capture_output=True, text=True, env={
        "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001", "HOME": "/nonexistent", "PATH": os.environ["PATH"]})
    assert (done.returncode, done.stderr) == (0, "")
    response = json.loads(done.stdout)
    assert response["statusCode"] == 200
    assert [entity["text"] for entity in json.loads(response["body"])["entities"]] == ["John", "Berlin"]


def test_it_fits_a_lambda_zip(built, tmp_path):
    archive = Path(shutil.make_archive(str(tmp_path / "function"), "zip", built[0]))
    assert archive.stat().st_size <= 50e6
    archive.unlink()


def test_bytecode_outlasts_the_times_of_its_sources(built):
    """PEP 552: the second word of bytecode is 1 where it is never checked against its source."""
    sources = list(built[0].rglob("*.py"))
    assert sources
    assert {Path(importlib.util.cache_from_source(str(path))).read_bytes()[4:8] for path in sources} == {b"\1\0\0\0"}


def test_a_folder_in_use_is_refused(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("kept", encoding="utf-8")
    for path in (tmp_path / "mine", tmp_path / "mine" / "file"):
        done = run_tool(path)
        assert (done.returncode, done.stdout) == (2, "")
        assert f"bundle: {path}: expected a folder that does not exist or is empty" in done.stderr
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")] == ["mine", "mine/file"]


def test_where_pip_fails_nothing_is_left(tmp_path):
    done = run_tool(tmp_path / "function", PIP_NO_INDEX="1", PIP_FIND_LINKS="", PIP_CONFIG_FILE=os.devnull)
    assert (done.returncode, done.stdout) == (2, "")
    assert "bundle: pip failed with exit status 1; nothing was written" in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("platforms", "levels", "target"), [
    ((), "all", None), (("manylinux_2_28_aarch64", "manylinux2014_aarch64"), "all", "linux-aarch64"),
    (("manylinux_2_17_x86_64",), "all", "linux-x86_64"), (("musllinux_1_2_x86_64",), "none", None),
    (("win_amd64",), "none", None), (("manylinux_2_28_aarch64", "linux_x86_64"), "none", None)])
def test_kernels_are_for_the_machine_that_will_run_the_bundle(platforms, levels, target):
    spec = importlib.util.spec_from_file_location("bundle", ROOT / "tools" / "bundle.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    environment = module.kernels_for(platforms)
    assert (environment["NERLITE_BUILD_LEVELS"], environment.get("NERLITE_BUILD_TARGET")) == (levels, target)
