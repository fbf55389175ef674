"""Rules of the whole repository: who may import whom, what an import costs, how long a module is, what is shipped."""

import ast
import gzip
import re
import shutil
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from nerlite import environment
from nerlite.ops import stamp

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "nerlite"
MODULES = sorted(PACKAGE.rglob("*.py"))
TOOLS = sorted((ROOT / "tools").rglob("*.py"))
UNSAFE_MODULES = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "socket", "ssl", "urllib", "http",
                  "requests", "httpx", "ftplib", "xmlrpc"}
UNSAFE_CALLS = {"eval", "exec", "compile", "__import__", "os.system"}
FRAMEWORKS = {"torch", "transformers", "tensorflow", "onnxruntime", "jax"}
# Imports go down, never to the same layer, except inside a package. A new module needs a place here.
LAYERS = (
    {"lazy"},
    {"abbreviations", "characters", "environment", "shapes"},
    {"forms", "unseen"},
    {"batch", "cores", "errors", "html", "memo", "redaction", "tags", "text", "threads"},
    {"agreement", "document", "files", "page"},
    {"columns", "config", "frames"},
    {"evaluate", "io", "ops", "weights", "wordpiece"},
    {"pieces"},
    {"kernels", "model_directory", "network"},
    {"backends", "limits"},
    {"rules", "sparknlp"},
    {"engine"},
    {"pipeline"},
    {"__init__", "timings"},
    {"integrations", "training"},
    {"cli"},
    {"__main__"},
)
LEVEL = {part: level for level, layer in enumerate(LAYERS) for part in layer}
MODELS = sorted(path.parent for path in ROOT.glob("weights/*/config.json"))


def name_of(path: Path) -> str:
    """The dotted name, with a package's own module as nerlite.network.__init__."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def part_of(module: str) -> str:
    """The module or package right under nerlite that a module is in."""
    return (*module.split("."), "__init__")[1]


def imports(path: Path) -> set[str]:
    """Every module that a file imports, inside functions too, but not those for type checkers only."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {id(node) for block in ast.walk(tree) if isinstance(block, ast.If)
                   and "TYPE_CHECKING" in ast.unparse(block.test) for node in ast.walk(block)}
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            submodules = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name for name in submodules if is_module(name)} or {str(node.module)}
    return found


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def own_imports(path: Path) -> set[str]:
    """Imports of the package's own files, named as `name_of` names them."""
    own = {name for name in imports(path) if name.split(".")[0] == "nerlite"}
    return {f"{name}.__init__" if ROOT.joinpath(*name.split(".")).is_dir() else name for name in own}


def test_no_text_of_the_data_is_in_the_repository(data):
    """CoNLL-2003 is licensed for research: no six words of it in a row may stand in a tracked text file."""
    words_of = re.compile(r"\w+").findall
    runs = set()
    for part in ("train", "valid", "test"):
        for sentence in (data / "conll2003" / f"{part}.txt").read_text(encoding="utf-8").split("\n\n"):
            words = [word for line in sentence.split("\n") for word in words_of(line.partition(" ")[0])]
            runs.update(tuple(run) for run in zip(*(words[i:] for i in range(6)), strict=False)
                         if not any(word.isdigit() for word in run))
    for path in subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
                               ).stdout.splitlines():
        content = (ROOT / path).read_bytes()
        text = (gzip.decompress(content) if path.endswith(".gz") else content).decode("utf-8", "ignore")
        words = words_of(text.replace("\\n", " "))
        found = [run for run in zip(*(words[i:] for i in range(6)), strict=False) if run in runs]
        assert not found, f"{path}: {found[:3]}"


@pytest.mark.parametrize("path", [*MODULES, *TOOLS], ids=name_of)
def test_nothing_reaches_the_network_or_runs_what_it_reads(path):
    """But what makes a record's code of its fields, and what the integrations' hosts do."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    modules = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    modules |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}
    assert not {module.split(".")[0] for module in modules} & UNSAFE_MODULES
    for call in (node for node in nodes if isinstance(node, ast.Call)):
        function = ast.unparse(call.func)
        assert function not in UNSAFE_CALLS or (name_of(path), function) == ("nerlite.ops.records", "exec"), function
        if function in ("torch.load", "np.load"):
            safe = {"torch.load": ("weights_only", True), "np.load": ("allow_pickle", False)}[function]
            assert safe in [(each.arg, getattr(each.value, "value", None)) for each in call.keywords], function


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_go_down(path):
    name = name_of(path)
    part = part_of(name)
    assert part in LEVEL, f"{name} is in none of the layers"
    upward = {other for other in own_imports(path)
              if part_of(other) != part and LEVEL[part_of(other)] >= LEVEL[part]}
    assert not upward, f"{name} imports {upward}"


def test_imports_have_no_circle():
    list(TopologicalSorter({name_of(path): own_imports(path) for path in MODULES}).static_order())


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_framework_is_imported_but_to_train(path):
    assert part_of(name_of(path)) == "training" or not {name.split(".")[0] for name in imports(path)} & FRAMEWORKS


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_only_kernels_import_a_compiler(path):
    assert part_of(name_of(path)) == "kernels" or not {
        name.split(".")[0] for name in imports(path)} & {"numba", "llvmlite"}


def test_the_stamp_covers_what_kernels_import():
    """A library is named by checksums of the sources it is made of, so none of them may be missing there."""
    apart = {f"nerlite.kernels.{name.removesuffix('.py')}" for name in stamp.APART}
    modules = {name_of(path): path for path in MODULES}
    found, ahead = set(), {name for name in modules if part_of(name) == "kernels"} - apart
    while ahead:
        found |= ahead
        # Some decide what is compiled, not what comes out.
        ahead = {other for name in ahead for other in own_imports(modules[name])} - found - {
            "nerlite.ops.cpu", "nerlite.ops.stamp", "nerlite.ops.features", "nerlite.environment"}
    ops = Path(stamp.__file__).parent
    assert {modules[name] for name in found if part_of(name) != "kernels"} == {ops / name for name in stamp.SHARED}


def test_one_module_reads_the_environment():
    readers = [name_of(path) for path in MODULES
               if re.search(r"\bos\.(environ|getenv|putenv)|import environ\b", path.read_text(encoding="utf-8"))]
    assert readers == ["nerlite.environment"]
    for folder in ("nerlite", "tools", "tests", "benchmarks", ".ci", "Makefile"):
        files = [path for path in [ROOT / folder, *(ROOT / folder).rglob("*")] if path.is_file()]
        for path in files:
            if path.suffix in (".py", "") and "libraries" not in path.parts:
                named = set(re.findall(r"\bNERLITE_[A-Z_]+", path.read_text(encoding="utf-8", errors="replace")))
                assert named <= set(environment.VARIABLES), path


def test_other_variables_of_the_environment_are_not_read():
    with pytest.raises(KeyError):
        environment.read("PATH")


def test_importing_nerlite_is_light():
    loaded = subprocess.run([sys.executable, "-c", "import sys, nerlite; print(*sys.modules)"],
                            cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
    assert "nerlite" in loaded
    assert not {"numba", "llvmlite", "tqdm", "pandas", "huggingface_hub", *FRAMEWORKS} & set(loaded)


def test_modules_are_short():
    files = [*MODULES, *(ROOT / "tools").rglob("*.py")]
    lengths = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert {path: length for path, length in lengths.items() if length > 400} == {}


def test_functions_take_few_arguments():
    counts = {}
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                given = node.args
                counts[f"{name_of(path)}:{node.lineno}"] = len([*given.posonlyargs, *given.args, *given.kwonlyargs])
    assert {place: count for place, count in counts.items() if count > 12} == {}


@pytest.mark.parametrize("model", MODELS, ids=lambda path: path.name)
def test_a_shipped_model_is_small_and_names_its_licence(model):
    assert re.search("licen[cs]e", (model / "README.md").read_text(encoding="utf-8"), re.IGNORECASE)
    assert sum((model / file).stat().st_size for file in ("model.safetensors", "tokenizer.json", "config.json")) <= 25e6


def test_no_file_names_a_path_of_one_machine():
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        pytest.skip("not a git checkout")
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                            cwd=ROOT, check=True, capture_output=True).stdout.decode().split("\0")
    machine_path = re.compile(rb"(?:^|[^\w./~])(?:/(?:work|root|home|farm|Users)/|[A-Z]:\\)", re.MULTILINE)
    found = [name for name in listed if (ROOT / name).is_file() and machine_path.search((ROOT / name).read_bytes())]
    text_files = [name for name in found if b"\0" not in (ROOT / name).read_bytes()]
    assert text_files == []
