"""Guards over the sources: what must never be written, and which room may import which."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("mangapaint", "train", "benchmarks")

LAYERS = (
    {"errors", "settings", "page"},
    {"profiles", "pixels", "atomic", "archives", "journal", "lock", "signals", "options", "config", "demo"},
    {"layout"},
    {"models"},
    {"engine"},
    {"paint", "portrait"},
    {"pipeline", "variants"},
    {"report"},
    {"cli"},
)
"""Each imports only from its own layer and those before it."""

HALF_PICTURES = "half a picture passes for a whole one"
PICKLES = {"pickle", "cPickle", "dill", "shelve", "marshal", "joblib"}
METHODS = {"extractall": "unpacks to names that others chose", "cuda": "the device is the engine's choice"}
FUNCTIONS = {
    "eval": "runs what it is given",
    "exec": "runs what it is given",
    "cv2.imread": "cannot open every path and is a second decoder",
    "cv2.imwrite": "cannot write every path",
    "os.system": "goes through a shell",
}


def sources() -> list[Path]:
    return sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))


def dotted(node: ast.expr) -> str:
    """`a.b.c` of a name or attribute; empty for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return ""


def offences(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and reason of everything that must not be there."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            for name in names:
                if name.split(".")[0] in PICKLES:
                    yield node.lineno, f"{name}: runs code of whoever wrote the file"
        elif isinstance(node, ast.Attribute) and node.attr == "LOAD_TRUNCATED_IMAGES":
            yield node.lineno, HALF_PICTURES
        elif isinstance(node, ast.Call):
            name = dotted(node.func)
            keywords = {keyword.arg: keyword.value for keyword in node.keywords}
            if name in FUNCTIONS:
                yield node.lineno, f"{name}: {FUNCTIONS[name]}"
            if isinstance(node.func, ast.Attribute) and node.func.attr in METHODS:
                yield node.lineno, f".{node.func.attr}(): {METHODS[node.func.attr]}"
            if name in {"torch.load", "numpy.load", "np.load"}:
                wanted, value = ("weights_only", True) if name == "torch.load" else ("allow_pickle", False)
                given = keywords.get(wanted)
                if not (isinstance(given, ast.Constant) and given.value is value):
                    yield node.lineno, f"{name} without {wanted}={value}"
            shell = keywords.get("shell")
            if shell is not None and not (isinstance(shell, ast.Constant) and shell.value is False):
                yield node.lineno, "shell=True"


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_dangerous_is_written(path: Path) -> None:
    found = [f"{path}:{line}: {why}" for line, why in offences(ast.parse(path.read_text(encoding="utf-8")))]
    if path == ROOT / "mangapaint" / "pixels.py":  # the one decoder, under --tolerate-truncated, and behind a lock
        found = [offence for offence in found if HALF_PICTURES not in offence]
    assert found == []


@pytest.mark.parametrize(
    "snippet",
    [
        "import pickle",
        "from pickle import loads",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path)",
        "eval('1')",
        "subprocess.run('ls', shell=True)",
        "os.system('ls')",
        "archive.extractall()",
        "net.cuda()",
        "cv2.imread('a.png')",
        "ImageFile.LOAD_TRUNCATED_IMAGES = True",
    ],
)
def test_the_guard_sees_what_it_should(snippet: str) -> None:
    assert list(offences(ast.parse(snippet)))


@pytest.mark.parametrize(
    "snippet",
    ["torch.load(path, weights_only=True)", "np.load(path, allow_pickle=False)", "net.eval()", "run(x, shell=False)"],
)
def test_the_guard_lets_honest_code_pass(snippet: str) -> None:
    assert not list(offences(ast.parse(snippet)))


def rank(room: str) -> int:
    found = [place for place, rooms in enumerate(LAYERS) if room in rooms]
    assert found, f"'{room}' has no place among the layers yet: give it one"
    return found[0]


def imported_rooms(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and room of each import from the package, wherever in the file it stands."""
    for node in ast.walk(tree):
        modules = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == "mangapaint":
            modules = [f"mangapaint.{alias.name}" for alias in node.names if not alias.name.startswith("__")]
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules = [node.module]
        for module in modules:
            parts = module.split(".")
            if parts[0] == "train":
                yield node.lineno, "train"
            elif parts[0] == "mangapaint" and len(parts) > 1:
                yield node.lineno, parts[1]


PACKAGE = sorted(path for path in (ROOT / "mangapaint").rglob("*.py") if path.name not in {"__main__.py"})


@pytest.mark.parametrize("path", PACKAGE, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_room_imports_only_from_the_rooms_before_it(path: Path) -> None:
    parts = path.relative_to(ROOT / "mangapaint").with_suffix("").parts
    if parts == ("__init__",):
        return
    for line, room in imported_rooms(ast.parse(path.read_text(encoding="utf-8"))):
        assert room != "train", f"{path}:{line}: train imports mangapaint, never the reverse"
        assert rank(room) <= rank(parts[0]), f"{path}:{line}: {parts[0]} imports {room}, which comes after it"


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_is_over_400_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400
