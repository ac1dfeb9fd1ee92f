"""What is public says what it is, in the words of numpydoc and in types."""

from __future__ import annotations

import ast
import re

from tests.conventions.source_tree import (
    LIBRARY,
    PIPELINES,
    ROOMS,
    Definition,
    Function,
    Module,
    exported_definitions,
    modules,
    public_definitions,
)


def _public(*packages: str) -> list[Definition]:
    return [found for module in modules(*packages) if not module.is_private for found in public_definitions(module)]


def _exported() -> list[Definition]:
    """Collect what the rooms export; the command line's docstrings are help texts and have their own shape."""
    fronts = [m for m in modules(LIBRARY) if m.path.name == "__init__.py" and m.path.parent.name in ROOMS - {"cli"}]
    return [definition for front in fronts for definition in exported_definitions(front)]


def _decorators(definition: Definition) -> set[str]:
    return {ast.unparse(decorator).split(".")[-1] for decorator in definition.node.decorator_list}


def _parameters(function: Function) -> list[ast.arg]:
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    starred = [argument for argument in (arguments.vararg, arguments.kwarg) if argument is not None]
    return [argument for argument in named + starred if argument.arg not in {"self", "cls"}]


def _section(docstring: str, title: str) -> str:
    """Return a numpydoc section's text, empty when it is missing."""
    found = re.search(
        rf"^{title}\n-{{{len(title)}}}\n(.*?)(?=\n\n?[A-Z][\w ]*\n---|\Z)", docstring, re.MULTILINE | re.DOTALL
    )
    return found[1] if found else ""


def _documented(docstring: str) -> set[str]:
    """Return the names in the section of the parameters: ``name``, ``name : type`` or ``one, two``."""
    heads = re.findall(r"^[*\w][^\n]*", _section(docstring, "Parameters"), re.MULTILINE)
    return {name.strip(" *") for head in heads for name in head.split(":")[0].split(",")}


def _opens_with_docstring(module: Module) -> bool:
    return bool(ast.get_docstring(module.tree))


def test_every_module_opens_with_a_docstring() -> None:
    assert [m.name for m in modules(LIBRARY, PIPELINES, "tests") if not _opens_with_docstring(m)] == []


def test_everything_public_has_a_docstring() -> None:
    silent = {"overload", "setter"}  # the other half of what is documented already
    found = [d for d in _public(LIBRARY) if not d.docstring and not d.name.endswith("__init__")]
    assert [str(definition) for definition in found if not _decorators(definition) & silent] == []


def test_every_public_function_says_its_types() -> None:
    untyped = [
        str(definition)
        for definition in _public(LIBRARY, PIPELINES)
        if isinstance(definition.node, Function)
        if definition.node.returns is None or any(p.annotation is None for p in _parameters(definition.node))
    ]
    assert untyped == []


def test_every_exported_function_documents_its_parameters() -> None:
    missing = {
        str(definition): sorted(names)
        for definition in _exported()
        if isinstance(definition.node, Function)
        if (names := {p.arg for p in _parameters(definition.node)} - _documented(definition.docstring))
    }
    assert missing == {}


def test_every_exported_function_documents_what_it_returns() -> None:
    missing = [
        str(definition)
        for definition in _exported()
        if isinstance(definition.node, Function)
        if definition.node.returns is not None and ast.unparse(definition.node.returns) not in {"None", "NoReturn"}
        if not _section(definition.docstring, "Returns") and not _section(definition.docstring, "Yields")
    ]
    assert missing == []


def test_every_exported_function_and_estimator_shows_an_example() -> None:
    # A step needs a warehouse: what it does is shown by the scenarios, not in three lines.
    missing = [
        str(definition)
        for definition in _exported()
        if definition.module.path.name != "steps.py"
        if isinstance(definition.node, Function)
        or "fit" in {getattr(part, "name", "") for part in definition.node.body}
        if ">>>" not in _section(definition.docstring, "Examples")
    ]
    assert missing == []
