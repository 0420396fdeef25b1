"""Fingerprint of a program's source: what can change its result, and nothing else.

The import closure of a script (itself and every module of this package that it imports, directly or not)
is read as syntax trees without comments, docstrings and positions. Installed libraries are not part of it:
their versions stand in the provenance.
"""

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from gptgrid.artifact.files import Remembered

ROOT = Path(__file__).resolve().parents[2]
"""The folder that holds the package."""
PACKAGE = "gptgrid"


BODIES = ("body", "orelse", "finalbody")
"""The fields of a syntax tree that hold statements."""


def fingerprint(script: Path) -> str:
    """Return the sha256 over the script and its import closure, as hex digits."""
    total = hashlib.sha256()
    for name, path in sorted(closure(script).items()):
        total.update(f"{name}\n{sources().of(path)[1]}\n".encode())
    return total.hexdigest()


def closure(script: Path) -> dict[str, Path]:
    """Return name → file for the script and all modules of the package that it reaches."""
    found = {f"scripts/{script.name}": script}
    pending = [script]
    while pending:
        for module in sources().of(pending.pop())[0]:
            path = module_file(module)
            if path is not None and module not in found:
                found[module] = path
                pending.append(path)
    return found


@cache
def module_file(module: str) -> Path | None:
    """Return the file of a module of this package; None for anything else."""
    if module.split(".")[0] != PACKAGE:
        return None
    base = ROOT.joinpath(*module.split("."))
    return next(
        (path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()),
        None,
    )


@cache
def sources() -> Remembered:
    """Return what is known of the files of this package: reading them all takes a third of a second."""
    return Remembered("sources.json", read, hashlib.sha256(Path(__file__).read_bytes()).hexdigest())


def read(path: Path) -> tuple[list[str], str]:
    """Return the dotted names that a file imports anywhere, and a digest of its syntax tree."""
    tree = parse(path)
    names = {name for node in ast.walk(tree) for name in names_of_import(node)}
    return sorted(names), hashlib.sha256(repr(skeleton(tree)).encode()).hexdigest()


def names_of_import(node: ast.AST) -> Iterator[str]:
    """Yield what an import statement may load: the module, its parents, and names that may be modules."""
    if isinstance(node, ast.Import):
        dotted = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        dotted = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    else:
        return
    for name in dotted:
        parts = name.split(".")
        yield from (".".join(parts[:end]) for end in range(1, len(parts) + 1))


def parse(path: Path) -> ast.Module:
    """Parse a file without what cannot change a result: docstrings and imports for type checkers."""
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    for node in ast.walk(tree):  # a node is visited before its children, which it may lose here
        for field in BODIES:
            if isinstance(children := getattr(node, field, None), list):
                setattr(node, field, [child for child in children if not has_no_effect(child)])
    return tree


def has_no_effect(node: object) -> bool:
    """Say whether a statement is a bare string (a docstring) or `if TYPE_CHECKING:`."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return isinstance(node.value.value, str)
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def skeleton(node: object) -> object:
    """Return a syntax tree as nested tuples. Empty fields are left out: new Python versions add some."""
    if isinstance(node, ast.AST):
        fields = ((name, skeleton(value)) for name, value in ast.iter_fields(node) if name != "type_comment")
        return (
            type(node).__name__,
            *(field for field in fields if field[1] not in (None, ())),
        )
    if isinstance(node, list):
        return tuple(skeleton(item) for item in node)
    # A constant None and an absent field must differ, and so must 1, 1.0 and True.
    return None if node is None else (type(node).__name__, node)
