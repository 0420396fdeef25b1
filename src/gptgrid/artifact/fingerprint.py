"""Fingerprint of a program's source: what can change its result, and nothing else.

It covers the definitions of this package that the program reaches: top-level functions, classes and
constants, each as a syntax tree without comments, docstrings, positions and the wording of errors and
progress, and the data files beside them. What nothing reached names does not count, nor an entry of a table
of `Variants` that the configuration does not name, nor the machinery in UNCOVERED. Installed libraries are
not part of it: their versions stand in the provenance.

A module is reached when one of its names is. What it does then, beside defining names, counts as well:
statements, assignments to attributes and items, functions and classes that a decorator, a metaclass or
`__init_subclass__` of this package is told of, and the `__init__.py` of the packages around it.

It reads the source and runs nothing, so it does not follow

- relative imports, `import *`, imports by `importlib` or `__import__`, `sys.modules`, an import of a name
  that is `global` in a function;
- `exec`, `eval`, `globals()`, and programs that are started by their name;
- a module that is imported for what it does and of which no name is used;
- a constant that nothing reached reads, though the call that makes it changes something else:
  `size = TABLE.update(…)`; `_ = TABLE.update(…)` it sees;
- a class that is found without its name: by `__subclasses__`, or by `__set_name__` of an attribute;
- what the arguments of `print`, of an error or of the message of an `assert` change.

Code that a fingerprint covers must do without them; a test looks for those that can be told by their name.
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
    seen: set[Definition] = set()
    while pending:
        module, name = definition = pending.pop()
        if definition in seen:
            continue
        seen.add(definition)
        if module_file(module) is None:
            found.parts[f"{module}:{name}"] = "library"
            continue
        if module != str(script):
            found.parts.update(data_parts(module))
            pending.extend(packages_around(module))
            if name is None:
                pending.extend(imported_targets(module))
        for statement in statements_of(module):
            if name is None or name in statement.binds or statement.always:
                found.parts[f"{label(module)}:{statement.place}"] = statement.digest_for(names)
                pending.extend(statement.targets_for(names))
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
    binds: frozenset[str]
    """The names that it defines."""
    always: bool
    """Whether it counts as soon as its module is reached."""
    digest: str
    targets: tuple[Definition, ...]
    """What its names stand for."""
    entries: dict[str, Entry]
    """Of a table of variants, by name."""

    def digest_for(self, names: frozenset[str]) -> str:
        """Return the digest, followed by those of the entries that have one of some names."""
        return " ".join([self.digest, *(self.entries[key].digest for key in self.entries if key in names)])

    def targets_for(self, names: frozenset[str]) -> Iterator[Definition]:
        """Yield the targets, and those of the entries that have one of some names."""
        yield from self.targets
        for key in self.entries:
            if key in names:
                yield from self.entries[key].targets


@cache
def statements_of(module: str) -> tuple[Statement, ...]:
    """Return the statements of a module that are no imports: these count where their names are used."""
    return tuple(
        Statement(
            place=statement["place"],
            binds=frozenset(statement["binds"]),
            always=statement["always"] or is_handed_on(module, statement),
            digest=statement["digest"],
            targets=tuple(targets(module, statement, statement["references"])),
            entries={
                key: Entry(f"{key}={entry['digest']}", tuple(targets(module, statement, entry["references"])))
                for key, entry in statement["entries"].items()
            },
        )
        for statement in sources().of(module_file(module))
        if not statement["importing"]
    )


def is_handed_on(module: str, statement: dict[str, Any]) -> bool:
    """Say whether code of this package is told of a function or class when it is defined."""
    if is_decorated(module, statement):
        return True
    pending, seen = [*targets(module, statement, statement["bases"])], set()
    while pending:
        base = pending.pop()
        if base in seen or module_file(base[0]) is None:
            continue
        seen.add(base)
        for ancestor in sources().of(module_file(base[0])):
            if base[1] in ancestor["binds"]:
                if ancestor["hook"] or is_decorated(base[0], ancestor):
                    return True
                pending.extend(targets(base[0], ancestor, ancestor["bases"]))
    return False


def is_decorated(module: str, statement: dict[str, Any]) -> bool:
    """Say whether a statement has a decorator or a metaclass of this package."""
    found = targets(module, statement, statement["decorators"])
    return any(module_file(origin) is not None for origin, _ in found)


@cache
def packages_around(module: str) -> tuple[Definition, ...]:
    """Return the packages that are imported on the way to a module, of those that hold code."""
    parts = module.split(".")
    packages = [".".join(parts[:end]) for end in range(1, len(parts))]
    return tuple(
        (package, None) for package in packages if (path := module_file(package)) and sources().of(path)
    )


@cache
def imported_targets(module: str) -> tuple[Definition, ...]:
    """Return all that a module imports: whoever has the module has that, too."""
    origins = {origin for several in imports_of(module).values() for origin in several}
    return tuple(target for origin in sorted(origins) for target in resolve(origin.split(".")))


@cache
def data_parts(module: str) -> dict[str, str]:
    """Return `package/file` → sha256 of the data files beside a module."""
    path = module_file(module)
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    return {
        f"{package}/{file.relative_to(path.parent).as_posix()}": data_digest(file)
        for file in data_files(path.parent)
    }


def label(module: str) -> str:
    """Return a module's name; of a program, which is known by its path, what is the same in each checkout."""
    return f"scripts/{Path(module).name}" if module.endswith(".py") else module


def targets(module: str, statement: dict[str, Any], references: list[str]) -> Iterator[Definition]:
    """Yield what names in a statement may stand for: which of several origins holds is known when it runs."""
    for reference in references:
        first, *rest = reference.split(".")
        for origin in [*statement["imports"].get(first, ()), *imports_of(module).get(first, ())]:
            yield from resolve([*origin.split("."), *rest])
        if first in defined_in(module):
            yield module, first


def resolve(dotted: list[str], seen: frozenset[Definition] = frozenset()) -> Iterator[Definition]:
    """Yield the definitions that a dotted name stands for: its longest part that is a module, and the rest.

    Args:
        dotted: the name, split at its dots.
        seen: the imported names that led here, as modules may import a name from each other.
    """
    if dotted[0] != PACKAGE:
        yield ".".join(dotted[:2]), None  # a library; which name of it is taken matters
        return
    found = ((end, ".".join(dotted[:end])) for end in range(len(dotted), 0, -1))
    end, module = next(((end, name) for end, name in found if module_file(name)), (0, ""))
    if not module or is_uncovered(module):
        return
    name, rest = dotted[end] if end < len(dotted) else None, dotted[end + 1 :]
    origins = imports_of(module).get(name, ())
    if (module, name) in seen or not (origins or name in defined_in(module)):
        yield module, None  # the name may come from anywhere in the module
        return
    yield module, name
    for origin in origins:
        yield from resolve([*origin.split("."), *rest], seen | {(module, name)})


def is_uncovered(module: str) -> bool:
    """Say whether a module is in one of the rooms in UNCOVERED."""
    return any(module == room or module.startswith(f"{room}.") for room in UNCOVERED)


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
def imports_of(module: str) -> dict[str, list[str]]:
    """Return name → what it may stand for, for the imports of a module outside its definitions."""
    path = module_file(module)
    found: dict[str, list[str]] = {}
    for statement in sources().of(path) if path else []:
        if statement["global"]:
            for name, origins in statement["imports"].items():
                found.setdefault(name, []).extend(origins)
    return found


@cache
def defined_in(module: str) -> set[str]:
    """Return the names that the statements of a module bind."""
    path = module_file(module)
    return {name for statement in (sources().of(path) if path else []) for name in statement["binds"]}


def data_files(folder: Path) -> Iterator[Path]:
    """Yield the files of a package's folder that are no Python source; those of packages in it are theirs."""
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            if path.name != "__pycache__" and not (path / "__init__.py").is_file():
                yield from data_files(path)
        elif path.is_file() and path.suffix not in (".py", ".pyc"):
            yield path


def forget() -> None:
    """Look at all files anew the next time: a source may change while a program imports it."""
    for function in (
        module_file,
        statements_of,
        packages_around,
        imported_targets,
        imports_of,
        defined_in,
        data_parts,
        data_digest,
    ):
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
    defining = isinstance(statement, DEFINITIONS | ast.Assign | ast.AnnAssign)
    imports: dict[str, list[str]] = {}
    for name, origin in imported_in(ast.walk(statement)):
        imports.setdefault(name, []).append(origin)
    entries = {
        key: {"digest": digest_of(value), "references": references_in(value)}
        for key, value in take_entries(statement).items()
    }
    binds = sorted(set(bound_by(statement)))
    references = references_in(statement)
    if isinstance(statement, ast.ClassDef):  # what is imported in its body is an attribute of it
        references += (name for name, _ in imported_in(executed(statement)))
    return {
        "place": ",".join(binds) or "statement",
        "binds": binds,
        # What an import brings counts where it is used, wherever the import stands.
        "importing": importing,
        "always": not defining or "_" in binds or any(map(is_effect, executed(statement))),
        "global": not defining,
        "digest": digest_of(statement),
        "imports": imports,
        "references": references,
        "decorators": [name for tree in decorators_in(statement) for name in references_in(tree)],
        "bases": [name for tree in bases_in(statement) for name in references_in(tree)],
        "hook": any(map(is_hook, executed(statement))),
        "entries": entries,
    }


FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef
DEFINITIONS = FUNCTIONS | ast.ClassDef


def executed(statement: ast.stmt) -> Iterator[ast.AST]:
    """Yield the nodes of a statement that run on the import of its module: all but bodies of functions."""
    pending: list[ast.AST] = [statement]
    while pending:
        node = pending.pop()
        yield node
        if isinstance(node, FUNCTIONS):
            pending += [*node.decorator_list, node.args]
        elif isinstance(node, ast.Lambda):
            pending.append(node.args)
        else:
            pending += ast.iter_child_nodes(node)


def is_effect(node: ast.AST) -> bool:
    """Say whether a node changes something that has a name elsewhere: an attribute, or an item of a table."""
    if isinstance(node, ast.Attribute | ast.Subscript):
        return not isinstance(node.ctx, ast.Load)
    return isinstance(node, ast.Name) and node.id in ("setattr", "delattr")


def is_hook(node: ast.AST) -> bool:
    """Say whether a node defines what is called for each class that derives from it."""
    return isinstance(node, ast.FunctionDef) and node.name == "__init_subclass__"


def decorators_in(statement: ast.stmt) -> Iterator[ast.expr]:
    """Yield what is called when the functions and classes in a statement are defined."""
    for node in executed(statement):
        if isinstance(node, DEFINITIONS):
            for decorator in node.decorator_list:
                while isinstance(decorator, ast.Call):
                    decorator = decorator.func
                yield decorator
        if isinstance(node, ast.ClassDef):
            yield from (keyword.value for keyword in node.keywords if keyword.arg == "metaclass")


def bases_in(statement: ast.stmt) -> Iterator[ast.expr]:
    """Yield what the classes in a statement derive from."""
    for node in executed(statement):
        if isinstance(node, ast.ClassDef):
            yield from node.bases


def bound_by(statement: ast.stmt) -> Iterator[str]:
    """Yield the names that a statement defines at the top of its module, other than by imports."""
    if isinstance(statement, DEFINITIONS):
        yield statement.name
        return
    for node in executed(statement):
        if isinstance(node, DEFINITIONS):
            yield node.name
        for target in assigned_by(node):
            # `table["x"] = 1` binds no name.
            written = (part for part in ast.walk(target) if isinstance(part, ast.Name))
            yield from (name.id for name in written if isinstance(name.ctx, ast.Store))


def assigned_by(node: ast.AST) -> list[ast.expr]:
    """Return what a node assigns to."""
    if isinstance(node, ast.Assign):
        return node.targets
    if isinstance(node, ast.AnnAssign | ast.NamedExpr | ast.For):
        return [node.target]
    return [node.optional_vars] if isinstance(node, ast.withitem) and node.optional_vars else []


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


def imported_in(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, str]]:
    """Yield name → dotted origin for the imports among some nodes."""
    for node in nodes:
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
        return None if is_progress(node.value) else self.generic_visit(node)

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        self.generic_visit(node)
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return node.orelse
        return node

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        if isinstance(node.exc, ast.Call):
            node.exc = node.exc.func
        return self.generic_visit(node)

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        node.msg = None
        return self.generic_visit(node)


def is_progress(call: ast.expr) -> bool:
    """Say whether an expression prints to the screen; `**options` may hold a file."""
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "print"):
        return False
    return all(keyword.arg not in ("file", None) for keyword in call.keywords)


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
