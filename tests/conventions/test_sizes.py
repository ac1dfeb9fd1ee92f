"""A function or a module that outgrows these sizes is a room asking for a wall."""

from __future__ import annotations

from tests.conventions.source_tree import LIBRARY, PIPELINES, functions, modules

FUNCTION_LINES = 60
MODULE_LINES = 400


def test_no_function_is_longer_than_sixty_lines() -> None:
    lengths = {
        str(function): (function.node.end_lineno or 0) - function.node.lineno + 1
        for module in modules(LIBRARY, PIPELINES)
        for function in functions(module)
    }
    assert {name: lines for name, lines in lengths.items() if lines > FUNCTION_LINES} == {}


def test_no_module_is_longer_than_four_hundred_lines() -> None:
    lengths = {module.name: len(module.text.splitlines()) for module in modules(LIBRARY, PIPELINES)}
    assert {name: lines for name, lines in lengths.items() if lines > MODULE_LINES} == {}
