"""Names of a package that load their module when they are first used, so that importing the package stays quick."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def attach(
    package: str, names: Mapping[str, str], rooms: tuple[str, ...], scope: dict[str, Any]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of a package (PEP 562). `names` maps modules of fnn to names in them, separated by blanks;
    `rooms` are subpackages; `scope` is the package's globals()."""
    home = {name: module for module, listed in names.items() for name in listed.split()}

    def load(name: str) -> Any:
        if name in rooms:
            return import_module(f"{package}.{name}")
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        found = scope[name] = getattr(import_module(f"fnn.{home[name]}"), name)
        return found

    return load, lambda: sorted({*scope, *rooms, *home})
