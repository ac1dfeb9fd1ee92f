"""Who may import what, and which rooms there are, where import-linter cannot say it.

The order of the layers and the doors between packages stand in ``pyproject.toml``. Here is what goes by the name of a
file, what hides inside Ibis, and what would only fail on somebody else's machine.
"""

from __future__ import annotations

import ast
import re
import sys
from importlib.metadata import packages_distributions

import pytest

from tests.conventions.source_tree import LIBRARY, PIPELINES, ROOMS, ROOT, Module, modules, pyproject

VAGUE = {"utils", "util", "helpers", "helper", "common", "misc"}

# Where each package may be imported, as patterns of paths.
DOORS = {
    "dagster": rf"{PIPELINES}/|{LIBRARY}/cli/",
    "duckdb": rf"{LIBRARY}/engine/",
    "pyspark": rf"{LIBRARY}/engine/",
    "plotly": rf"{LIBRARY}/\w+/charts(\.py|/)|{LIBRARY}/portal/",
}


def _tops(module: Module) -> set[str]:
    return {name.split(".")[0] for name in module.imported()}


@pytest.mark.parametrize("package", DOORS)
def test_packages_are_imported_only_behind_their_doors(package: str) -> None:
    users = [module.name for module in modules(LIBRARY, PIPELINES) if package in _tops(module)]
    assert [name for name in users if not re.match(DOORS[package], name)] == []


def test_nobody_but_the_engine_reaches_an_engine_through_ibis() -> None:
    # `ibis.duckdb` opens DuckDB without importing it by name.
    ways = {"ibis.duckdb", "ibis.pyspark", "ibis.connect", "ibis.backends"}
    others = [m for m in modules(LIBRARY, PIPELINES) if not re.match(DOORS["duckdb"], m.name)]
    attributes = [(m, node) for m in others for node in ast.walk(m.tree) if isinstance(node, ast.Attribute)]
    assert [f"{m.name}:{node.lineno}" for m, node in attributes if ast.unparse(node) in ways] == []
    assert [m.name for m in others if any(name.startswith(tuple(ways)) for name in m.imported())] == []


def test_the_list_of_rooms_is_closed() -> None:
    folders = {path.parent.relative_to(ROOT / LIBRARY).parts[0] for path in (ROOT / LIBRARY).glob("*/**/*.py")}
    assert folders - ROOMS == set()
    assert [room for room in sorted(folders) if not (ROOT / LIBRARY / room / "__init__.py").exists()] == []


def test_no_folder_or_module_has_a_name_that_says_nothing() -> None:
    names = [m.name for m in modules(LIBRARY, PIPELINES, "tests")]
    assert [name for name in names if VAGUE & set(name.removesuffix(".py").split("/"))] == []


def test_only_declared_packages_are_imported() -> None:
    project = pyproject()["project"]
    requirements = [*project["dependencies"], *project["optional-dependencies"]["complete-journey"]]
    declared = {_normal(re.split(r"[\[<>=!~ ]", requirement)[0]) for requirement in requirements}
    distributions = packages_distributions()
    own = {LIBRARY, PIPELINES, *sys.stdlib_module_names}
    undeclared = {
        f"{module.name} imports {package}"
        for module in modules(LIBRARY, PIPELINES)
        for package in _tops(module) - own
        if not declared & {_normal(name) for name in distributions.get(package, [])}
    }
    assert sorted(undeclared) == []


def _normal(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()
