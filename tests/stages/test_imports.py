"""What builds an artifact is imported as a whole before anything is built."""

import ast
from pathlib import Path

import pytest

import gptgrid.stages

PACKAGE = Path(gptgrid.stages.__path__[0]).parent
ROOMS = ("stages", "trainer", "model", "tokens", "text", "net")


def late_imports(path: Path) -> list[int]:
    """Return the lines on which functions of a module import from this package."""
    functions = [
        node
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    return [
        node.lineno
        for function in functions
        for node in ast.walk(function)
        if any(name.split(".")[0] == "gptgrid" for name in imported(node))
    ]


def imported(node: ast.AST) -> list[str]:
    """Return the modules that a statement imports from."""
    if isinstance(node, ast.ImportFrom):
        return ["gptgrid" if node.level else node.module]
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else []


@pytest.mark.parametrize("room", ROOMS)
def test_no_function_imports_from_this_package(room):
    """The source is checked once, after the imports: a later one may read a file that was edited since."""
    late = {str(path): lines for path in (PACKAGE / room).rglob("*.py") if (lines := late_imports(path))}
    assert late == {}
