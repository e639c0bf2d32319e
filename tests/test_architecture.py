"""The structure of the package: imports go down the floors, rooms load when they are named."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import fnn

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "fnn"
FLOORS = {
    "arrays": 0,
    "later": 0,
    "promises": 0,
    "specialise": 0,
    "tree": 1,
    "random": 1,
    "mode": 1,
    "initializers": 1,
    "autodiff": 2,
    "functional": 3,
    "layers": 4,
    "losses": 4,
    "metrics": 4,
    "optim": 5,
    "data": 6,
    "training": 6,
    "inspection": 6,
    "io": 6,
    "datasets": 7,
    "plot": 7,
    "sklearn": 7,
    "testing": 8,
}
FILES = sorted(PACKAGE.rglob("*.py"))


def room_of(module: str) -> str:
    return module.split(".")[1]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down_the_floors_and_take_no_private_names(path: Path) -> None:
    here = ("fnn", *path.relative_to(PACKAGE).with_suffix("").parts)
    if here[1] == "__init__":
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("fnn"):
            modules = [node.module] if "." in node.module else [f"fnn.{alias.name}" for alias in node.names]
            for module in modules:
                assert FLOORS[room_of(module)] <= FLOORS[here[1]], f"{path} imports {module} from a floor above"
            private = [alias.name for alias in node.names if alias.name.startswith("_")]
            assert not private, f"{path} takes private names from {node.module}: {private}"


def test_every_room_has_a_floor() -> None:
    rooms = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in FILES} - {"__init__"}
    assert rooms == set(FLOORS)


def test_numpy_is_the_only_thing_that_import_fnn_needs_and_rooms_load_when_named() -> None:
    code = (
        "import sys, numpy; before = set(sys.modules); import fnn; new = set(sys.modules) - before;"
        "tops = {m.split('.')[0] for m in new} - set(sys.stdlib_module_names) - {'fnn', 'numpy'};"
        "assert not tops, tops; assert 'fnn.datasets' not in new; assert 'numpy.random' not in new;"
        "fnn.datasets.digits; assert 'fnn.datasets' in sys.modules; assert 'datasets' in dir(fnn)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        fnn.nothing  # type: ignore[attr-defined]  # noqa: B018  # pyright: ignore[reportAttributeAccessIssue]  # the test is about it


@pytest.mark.parametrize("package", [fnn, fnn.losses, fnn.optim], ids=lambda package: package.__name__)
def test_names_that_load_later_are_those_that_checkers_see(package: Any) -> None:
    seen = {
        (node.module.removeprefix("fnn."), alias.asname)
        for block in ast.parse(Path(package.__file__).read_text()).body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom) and node.module and node.module != "fnn"
        for alias in node.names
        if alias.asname == alias.name
    }
    later = {(module, name) for module, names in package._LATER.items() for name in names.split()}
    assert seen == later
    assert all(name in dir(package) and getattr(package, name) is not None for _, name in later)


def test_the_version_is_that_of_the_package() -> None:
    assert f'version = "{fnn.__version__}"' in (ROOT / "pyproject.toml").read_text()


def test_public_names_have_docstrings() -> None:
    for item, name in [(getattr(room, name), name) for room in (fnn, fnn.losses, fnn.metrics, fnn.optim) for name in dir(room)]:
        if not name.startswith("_") and (isinstance(item, type) or callable(item)) and item.__module__.startswith("fnn"):
            assert item.__doc__, name
