"""Notebooks run from top to bottom, show pictures, use public names alone, and hold no outputs."""

from __future__ import annotations

import ast
import importlib
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

from tests.conventions.source_tree import LIBRARY, ROOMS, ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PICTURE = "application/vnd.plotly.v1+json"
LINES_OF_A_CELL = 22
# Minutes on an idle machine are seconds; the last one runs the whole job.
SECONDS_OF_A_CELL = 900

each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


@pytest.fixture(scope="session")
def desk(house: Path) -> Path:
    """Return a folder ``notebooks`` beside ``var/sample``, as in the project."""
    (house / "notebooks").mkdir(exist_ok=True)
    return house / "notebooks"


def read(path: Path) -> nbformat.NotebookNode:
    text = path.read_text(encoding="utf-8")
    notebook: nbformat.NotebookNode = nbformat.reads(text, as_version=4)  # type: ignore[no-untyped-call]
    return notebook


def code(path: Path) -> str:
    return "\n".join(cell.source for cell in read(path).cells if cell.cell_type == "code")


@pytest.mark.xdist_group("sample")
@each
def test_a_notebook_runs_from_top_to_bottom_without_a_warning_and_shows_pictures(
    path: Path, desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = read(path)
    # Sockets in the folder that both sides work in, so no port is opened.
    monkeypatch.chdir(desk)
    kernel = AsyncKernelManager(kernel_name="python3", transport="ipc")
    place = {"metadata": {"path": str(desk)}}
    NotebookClient(notebook, km=kernel, timeout=SECONDS_OF_A_CELL, resources=place).execute(cleanup_kc=True)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert [output.text for output in outputs if output.get("name") == "stderr"] == []
    assert sum(PICTURE in output.get("data", {}) for output in outputs) >= 3
    if path.stem.startswith("08"):
        shutil.rmtree(desk.parent / "var" / "retailer")


def test_there_are_eight_in_the_order_of_a_week() -> None:
    assert [path.stem[:2] for path in NOTEBOOKS] == [f"{i:02}" for i in range(1, 9)]
    for path, following in pairwise(NOTEBOOKS):
        assert f"({following.name})" in read(path).cells[-1].source


@each
def test_a_notebook_asks_one_question_and_says_what_to_do_with_the_answer(path: Path) -> None:
    cells = read(path).cells
    assert cells[0].source.startswith("# ")
    assert cells[0].source.count("**The question:") == 1
    assert cells[-1].source.startswith("**What to do now.**")


@each
def test_what_a_notebook_points_to_is_there(path: Path) -> None:
    texts = [cell.source for cell in read(path).cells if cell.cell_type == "markdown"]
    targets = [part.split(")")[0].split("#")[0] for text in texts for part in text.split("](")[1:]]
    assert [target for target in targets if not (path.parent / target).exists()] == []


@each
def test_a_notebook_is_committed_without_outputs(path: Path) -> None:
    notebook = read(path)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert dict(notebook.metadata.language_info) == {"name": "python"}
    filled = [cell.id for cell in notebook.cells if cell.get("outputs") or cell.get("execution_count")]
    assert filled == [], f"run: nbstripout notebooks/{path.name}"
    assert [cell.id for cell in notebook.cells if cell.metadata] == []


@each
def test_cells_are_short(path: Path) -> None:
    lengths = {cell.id: len(cell.source.splitlines()) for cell in read(path).cells if cell.cell_type == "code"}
    assert {name: lines for name, lines in lengths.items() if lines > LINES_OF_A_CELL} == {}


@each
def test_a_notebook_uses_public_names_alone(path: Path) -> None:
    assert [name for name in ours(ast.parse(code(path))) if not is_public(name)] == []


def ours(tree: ast.Module) -> Iterator[str]:
    """Give the dotted name of everything of the library that a notebook imports or reaches into."""
    rooms: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == LIBRARY:
            for alias in node.names:
                rooms[alias.asname or alias.name] = f"{node.module}.{alias.name}"
        elif isinstance(node, ast.Import):
            rooms |= {alias.name: alias.name for alias in node.names if alias.name.split(".")[0] == LIBRARY}
    yield from rooms.values()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in rooms:
            yield f"{rooms[node.value.id]}.{node.attr}"


def is_public(name: str) -> bool:
    """Return whether it is the library, a room, what either exports, or a picture of a room."""
    library, *inner = name.split(".")
    if not inner:
        return True
    if inner[0] in ROOMS and len(inner) > 1:
        room, *rest = inner
        if rest[0] == "charts":
            return len(rest) == 1 or not rest[1].startswith("_")
        return len(rest) == 1 and rest[0] in importlib.import_module(f"{library}.{room}").__all__
    return len(inner) == 1 and (inner[0] in ROOMS or inner[0] in importlib.import_module(library).__all__)
