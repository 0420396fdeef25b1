"""Fingerprint of a program's source: what can change its result, and nothing else.

It covers the definitions of this package that the program reaches: top-level functions, classes and
constants, each as a syntax tree without comments, docstrings, positions and the wording of errors and
progress, and the data files beside them. What nothing reached names does not count, nor an entry of a table
of `Variants` that the configuration does not name, nor the machinery in UNCOVERED. Installed libraries are
not part of it: their versions stand in the provenance.
"""

from __future__ import annotations

import ast
import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from gptgrid.artifact.files import Remembered, file_digest

ROOT = Path(__file__).resolve().parents[2]
"""The folder that holds the package."""
PACKAGE = "gptgrid"
UNCOVERED = (f"{PACKAGE}.artifact", f"{PACKAGE}.launch")
"""Rooms that decide nothing about what an artifact holds."""
TABLE = "Variants"
"""The class of tables that are covered entry by entry."""


def fingerprint(script: Path, names: Iterable[str] = ()) -> str:
    """Return the sha256 of the source that a program reaches, as hex digits.

    Args:
        script: the program.
        names: values of the configuration: the entries of tables of `Variants` that are covered.
    """
    return closure(script, frozenset(names)).digest()


@dataclass
class Closure:
    """The definitions that a program reaches, and the data files beside them."""

    parts: dict[str, str] = field(default_factory=dict)
    """`module:name` or `module/file` → sha256."""

    def digest(self) -> str:
        """Return the sha256 of all parts, in order of their names."""
        lines = (f"{name}\n{part}\n" for name, part in sorted(self.parts.items()))
        return hashlib.sha256("".join(lines).encode()).hexdigest()


def closure(script: Path, names: frozenset[str]) -> Closure:
    """Return what a program reaches: everything in the script, and from there what each definition names."""
    found = Closure()
    pending: list[Definition] = [(str(script), None)]
    while pending:
        module, name = pending.pop()
        if module_file(module) is None:
            found.parts[f"{module}:{name}"] = "library"
            continue
        if module != str(script):
            found.parts.update(data_parts(module))
        for statement in statements_of(module, name):
            part = f"{label(module)}:{statement.place}"
            if part not in found.parts:
                entries = [entry for key, entry in statement.entries.items() if key in names]
                found.parts[part] = " ".join([statement.digest, *(entry.digest for entry in entries)])
                for reached in (statement, *entries):
                    pending.extend(reached.targets)
    return found


Definition = tuple[str, str | None]
"""A module, and a name in it; None stands for all of the module."""


@dataclass(frozen=True)
class Entry:
    """An entry of a table of variants."""

    digest: str
    targets: tuple[Definition, ...]
    """What its names stand for."""


@dataclass(frozen=True)
class Statement:
    """A statement at the top of a module."""

    place: str
    """What names it among those of its module."""
    digest: str
    targets: tuple[Definition, ...]
    """What its names stand for."""
    entries: dict[str, Entry]
    """Of a table of variants, by name."""


@cache
def statements_of(module: str, name: str | None) -> tuple[Statement, ...]:
    """Return the statements of a module that define a name, and those that may do something else."""
    return tuple(
        Statement(
            place=statement["place"],
            digest=statement["digest"],
            targets=tuple(targets(module, statement, statement["references"])),
            entries={
                key: Entry(f"{key}={entry['digest']}", tuple(targets(module, statement, entry["references"])))
                for key, entry in statement["entries"].items()
            },
        )
        for statement in sources().of(module_file(module))
        if not statement["importing"]
        and (name is None or name in statement["binds"] or not statement["binds"] or statement["always"])
    )


@cache
def data_parts(module: str) -> dict[str, str]:
    """Return `package/file` → sha256 of the data files beside a module."""
    folder, package = module_file(module).parent, module.rpartition(".")[0]
    return {f"{package}/{path.name}": data_digest(path) for path in data_files(folder)}


def label(module: str) -> str:
    """Return a module's name; of a program, which is known by its path, what is the same in each checkout."""
    return f"scripts/{Path(module).name}" if module.endswith(".py") else module


def targets(
    module: str, statement: dict[str, Any], references: list[str]
) -> Iterator[tuple[str, str | None]]:
    """Yield what the names in a statement stand for: (module, definition)."""
    for reference in references:
        first, _, rest = reference.partition(".")
        origin = statement["imports"].get(first) or imports_of(module).get(first)
        if origin is not None:
            yield from resolve([*origin.split("."), *filter(None, rest.split("."))])
        elif first in defined_in(module):
            yield module, first


def resolve(dotted: list[str]) -> Iterator[tuple[str, str | None]]:
    """Yield the definition that a dotted name stands for: its longest part that is a module, and the rest."""
    if dotted[0] != PACKAGE:
        yield ".".join(dotted[:2]), None  # a library; which name of it is taken matters
        return
    for end in range(len(dotted), 0, -1):
        module = ".".join(dotted[:end])
        if module_file(module) is not None:
            if not module.startswith(UNCOVERED):
                yield module, dotted[end] if end < len(dotted) else None
            return


@cache
def module_file(module: str) -> Path | None:
    """Return the file of a module of this package, or of a program; None for anything else."""
    if module.endswith(".py"):
        return Path(module)
    if module.split(".")[0] != PACKAGE:
        return None
    base = ROOT.joinpath(*module.split("."))
    candidates = (base.with_suffix(".py"), base / "__init__.py")
    return next((path for path in candidates if path.is_file()), None)


@cache
def imports_of(module: str) -> dict[str, str]:
    """Return name → what it stands for, for the imports of a module outside its definitions."""
    path = module_file(module)
    return {
        name: origin
        for statement in (sources().of(path) if path else [])
        if statement["global"]
        for name, origin in statement["imports"].items()
    }


@cache
def defined_in(module: str) -> set[str]:
    """Return the names that the statements of a module bind."""
    path = module_file(module)
    return {name for statement in (sources().of(path) if path else []) for name in statement["binds"]}


def data_files(folder: Path) -> list[Path]:
    """Return the files of a package's folder that are no Python source."""
    return sorted(path for path in folder.iterdir() if path.is_file() and path.suffix not in (".py", ".pyc"))


def forget() -> None:
    """Look at all files anew the next time: a source may change while a program imports it."""
    for function in (module_file, statements_of, imports_of, defined_in, data_parts, data_digest):
        function.cache_clear()


def variant_names() -> frozenset[str]:
    """Return the names of all entries of all tables of variants in the package."""
    statements = (s for path in sorted((ROOT / PACKAGE).rglob("*.py")) for s in sources().of(path))
    return frozenset(name for statement in statements for name in statement["entries"])


# ------------------------------------------------------------------------------------- one file


@cache
def sources() -> Remembered:
    """Return what is known of the files of this package: reading them all takes a third of a second."""
    return Remembered("sources.json", read, hashlib.sha256(Path(__file__).read_bytes()).hexdigest())


@cache
def data_digest(path: Path) -> str:
    """Return the sha256 of a data file."""
    return file_digest(path)


def read(path: Path) -> list[dict[str, Any]]:
    """Return the top-level statements of a file, each as what it binds, its digest and what it refers to."""
    tree = strip(ast.parse(path.read_text(encoding="utf-8"), filename=str(path)))
    statements = [describe(statement) for statement in tree.body]
    seen: Counter[str] = Counter()
    for statement in statements:
        place = statement["place"]
        seen[place] += not statement["importing"]
        if seen[place] > 1:
            statement["place"] = f"{place}#{seen[place]}"
    return statements


def describe(statement: ast.stmt) -> dict[str, Any]:
    """Return a statement as plain data; `place` says what it binds, as that is what it is known by."""
    importing = isinstance(statement, ast.Import | ast.ImportFrom)
    imports = {name: origin for node in ast.walk(statement) for name, origin in imported_by(node)}
    entries = {
        key: {"digest": digest_of(value), "references": references_in(value)}
        for key, value in take_entries(statement).items()
    }
    binds = [] if importing else sorted(set(bound_by(statement)))
    return {
        "place": ",".join(binds) or "statement",
        "binds": binds,
        # What an import brings counts where it is used, wherever the import stands.
        "importing": importing,
        "always": isinstance(statement, COMPOUND),
        "global": importing or isinstance(statement, COMPOUND),
        "digest": digest_of(statement),
        "imports": imports,
        "references": references_in(statement),
        "entries": entries,
    }


COMPOUND = (ast.If, ast.Try, ast.With, ast.For, ast.While)
"""Statements that may bind names and do other things, too; they are covered whole."""


def bound_by(statement: ast.stmt) -> Iterator[str]:
    """Yield the names that a statement defines at the top of its module."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name
    elif isinstance(statement, ast.Assign | ast.AnnAssign):
        written = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        for target in written:
            # `table["x"] = 1` defines nothing: it is looked at whenever its module is.
            if isinstance(target, ast.Name | ast.Tuple):
                yield from (node.id for node in ast.walk(target) if isinstance(node, ast.Name))
    elif isinstance(statement, COMPOUND):
        for node in ast.walk(statement):
            if isinstance(node, ast.Assign | ast.FunctionDef | ast.ClassDef):
                yield from bound_by(node)


def take_entries(statement: ast.stmt) -> dict[str, ast.expr]:
    """Take the entries out of a constant that is a table of variants; of anything else, none."""
    value = getattr(statement, "value", None)
    if not (isinstance(statement, ast.Assign | ast.AnnAssign) and isinstance(value, ast.Call)):
        return {}
    if not (isinstance(value.func, ast.Name) and value.func.id == TABLE and value.args):
        return {}
    table = value.args[0]
    if not isinstance(table, ast.Dict) or not all(map(is_text, table.keys)):
        return {}
    entries = {key.value: item for key, item in zip(table.keys, table.values, strict=True)}
    table.keys, table.values = [], []
    return entries


def is_text(node: ast.expr | None) -> bool:
    """Say whether an expression is a string that stands in the source."""
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def references_in(tree: ast.AST) -> list[str]:
    """Return the names that are read, with the attributes that follow: `checkpoint.write`."""
    found = set()
    beginnings = {node.value for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        if node in beginnings:
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            found.add(node.id)
        elif isinstance(node, ast.Attribute) and (dotted := dotted_name(node)):
            found.add(dotted)
    return sorted(found)


def dotted_name(node: ast.expr) -> str | None:
    """Return `a.b.c` for a chain of attributes of a name; None for any other expression."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else None


def imported_by(node: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield name → dotted origin for an import statement."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield (alias.asname, alias.name) if alias.asname else (alias.name.split(".")[0],) * 2
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        for alias in node.names:
            yield alias.asname or alias.name, f"{node.module}.{alias.name}"


# ------------------------------------------------------------------------------- what cannot matter


class Strip(ast.NodeTransformer):
    """Takes out what changes no result: docstrings, imports for type checkers, and what is told to people."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            return None
        call = node.value
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "print":
            return None
        return self.generic_visit(node)

    def visit_If(self, node: ast.If) -> ast.AST | None:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return None
        return self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        if isinstance(node.exc, ast.Call):
            node.exc = node.exc.func
        return self.generic_visit(node)

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        node.msg = None
        return self.generic_visit(node)


def strip(tree: ast.Module) -> ast.Module:
    """Return a syntax tree without what changes no result."""
    return Strip().visit(tree)


def digest_of(node: ast.AST) -> str:
    """Return the sha256 of a syntax tree."""
    return hashlib.sha256(repr(plain(node)).encode()).hexdigest()


def plain(node: object) -> object:
    """Return a syntax tree as nested tuples. Empty fields are left out: new Python versions add some."""
    if isinstance(node, ast.AST):
        fields = ((name, plain(value)) for name, value in ast.iter_fields(node) if name != "type_comment")
        return (type(node).__name__, *(pair for pair in fields if pair[1] not in (None, ())))
    if isinstance(node, list):
        return tuple(plain(item) for item in node)
    # A constant None and an absent field must differ, and so must 1, 1.0 and True.
    return None if node is None else (type(node).__name__, node)
