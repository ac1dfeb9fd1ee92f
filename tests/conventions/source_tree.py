"""The project's own files, parsed but never imported: a convention must not depend on what a module does."""

from __future__ import annotations

import ast
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = "o2o_mining"
PIPELINES = "pipelines"

# The closed list: a room not named here is not built.
ROOMS = {
    "core", "contracts", "engine", "ingest", "identity", "marts", "segmentation", "association", "lifecycle",
    "response", "offers", "attribution", "merchants", "local", "demand", "tracking", "exports", "simulator",
    "portal", "cli",
}  # fmt: skip

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """One Python file."""

    path: Path
    text: str
    tree: ast.Module

    @property
    def name(self) -> str:
        """The path from the project's root, as messages show it."""
        return self.path.relative_to(ROOT).as_posix()

    @property
    def is_private(self) -> bool:
        """Whether only its own room may use it."""
        return self.path.stem.startswith("_") and not self.path.stem.startswith("__")

    def imported(self) -> Iterator[str]:
        """Give the dotted name of everything that is imported, wherever in the file."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


@dataclass(frozen=True)
class Definition:
    """A function, class or method, and the module that it stands in."""

    module: Module
    name: str
    node: Function | ast.ClassDef

    def __str__(self) -> str:
        return f"{self.module.name}:{self.node.lineno} {self.name}"

    @property
    def docstring(self) -> str:
        """The docstring, empty when there is none."""
        return ast.get_docstring(self.node) or ""


@cache
def modules(*packages: str) -> tuple[Module, ...]:
    """Read all Python files of some top folders, in the order of their paths."""
    paths = sorted(path for package in packages for path in (ROOT / package).rglob("*.py"))
    texts = {path: path.read_text(encoding="utf-8") for path in paths}
    return tuple(Module(path, text, ast.parse(text, str(path))) for path, text in texts.items())


def functions(module: Module) -> Iterator[Definition]:
    """Give every function of a module: public, private and nested."""
    for node in ast.walk(module.tree):
        if isinstance(node, Function):
            yield Definition(module, node.name, node)


def public_definitions(module: Module) -> Iterator[Definition]:
    """Give what a module offers: its functions and classes, and the classes' methods."""
    for node in module.tree.body:
        if not isinstance(node, Function | ast.ClassDef) or node.name.startswith("_"):
            continue
        yield Definition(module, node.name, node)
        if isinstance(node, ast.ClassDef):
            for part in node.body:
                if isinstance(part, Function) and (part.name == "__init__" or not part.name.startswith("_")):
                    yield Definition(module, f"{node.name}.{part.name}", part)


def exported_names(module: Module) -> list[str]:
    """Read ``__all__``; empty when a module has none."""
    for node in module.tree.body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]:
            names: list[str] = ast.literal_eval(node.value)
            return names
    return []


def exported_definitions(front: Module) -> Iterator[Definition]:
    """Follow what a room's ``__init__.py`` exports to where it is defined."""
    exported = set(exported_names(front))
    origins: dict[str, tuple[Module, str]] = {}
    for node in front.tree.body:
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(f"{LIBRARY}."):
            origin = next((m for m in modules(LIBRARY) if _dotted(m) == node.module), None)
            if origin is not None:
                origins |= {alias.asname or alias.name: (origin, alias.name) for alias in node.names}
    for name in sorted(exported):
        module, original = origins.get(name, (front, name))
        yield from (definition for definition in public_definitions(module) if definition.name == original)


def _dotted(module: Module) -> str:
    return module.name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


@cache
def pyproject() -> dict[str, Any]:
    """Read ``pyproject.toml``."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
