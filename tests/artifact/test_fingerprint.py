"""A fingerprint changes with what can change a result, and with nothing else."""

import ast
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from gptgrid.artifact import fingerprint as source

ROOT = Path(__file__).resolve().parents[2]
FILES = {
    "script.py": '''
"""A program."""
from typing import TYPE_CHECKING
from gptgrid.artifact.machine import main
if TYPE_CHECKING:
    from gptgrid.typing_only import Z


def load():
    import gptgrid.deep.tools as tools
    from gptgrid.used import build
    return build, tools.sharpen


if __name__ == "__main__":
    main("corpus", load)
''',
    "src/gptgrid/used.py": '''
"""Doc."""
import gptgrid.deep.far
from math import sqrt
from gptgrid.artifact.machine import UserError
from gptgrid.deep import inner
from gptgrid.table import CHOICES, marked, patient

CONSTANT = 1
UNREAD = 1
registered = {}
registered["one"] = 1
if CONSTANT:
    SWITCH = 1
try:
    import fast
except ImportError:
    fast = None


def build(value):
    """Doc."""
    print("step", 1)
    assert value, "a message"
    if value > inner.LIMIT:
        raise UserError(f"found {value}, too large")
    return Shape().area(value) + CHOICES[value](CONSTANT) + gptgrid.deep.far.LENGTH + SWITCH


class Base:
    factor = 1


@marked
class Shape(Base):
    """Doc."""

    def area(self, value):
        """Doc."""
        return sqrt(value) * self.factor


def unreached():
    return UNREAD
''',
    "src/gptgrid/deep/inner.py": "LIMIT = 1\nOTHER = 1\n",
    "src/gptgrid/deep/far.py": "LENGTH = 1\nOTHER = 1\n",
    "src/gptgrid/deep/tools.py": "def sharpen():\n    return 1\n\n\ndef blunt():\n    return 1\n",
    "src/gptgrid/deep/style.css": "p {}",
    "src/gptgrid/aside/page.jinja": "<p>",
    "src/gptgrid/aside/page.py": "P = 1\n",
    "src/gptgrid/table.py": """
from gptgrid.artifact.variants import Variants
from gptgrid.aside.page import P


def marked(kind):
    return kind


def slow(value):
    return helper(value)


def helper(value):
    return 1


def quick(value):
    return P


CHOICES = Variants({"slow": slow, "quick": quick})
""",
    "src/gptgrid/typing_only.py": "Z = 1\n",
    "src/gptgrid/artifact/machine.py": "class UserError(Exception):\n    pass\n\n\ndef main(*a):\n    pass\n",
    "src/gptgrid/artifact/variants.py": "class Variants(dict):\n    pass\n",
}
USED, TABLE = "src/gptgrid/used.py", "src/gptgrid/table.py"
NAMES = frozenset({"slow"})


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A small package named like ours, with a program on top of it."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for folder in ("", "deep", "aside", "artifact"):
        (tmp_path / "src" / "gptgrid" / folder / "__init__.py").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(source, "ROOT", tmp_path / "src")
    yield tmp_path
    forget()


def forget() -> None:
    """Begin as a new program would."""
    for function in vars(source).values():
        if hasattr(function, "cache_clear"):
            function.cache_clear()


def fingerprint(project: Path, names: frozenset[str] = NAMES) -> str:
    forget()
    return source.fingerprint(project / "script.py", names)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        (USED, '"""Doc."""\nimport', '"""Another."""\n# A comment.\n\n\nimport'),
        (USED, '    """Doc."""\n    print', "    # Why.\n\n    print"),
        (USED, "return sqrt(value) * self.factor", "return (sqrt(value) *\n            self.factor)  # why"),
        (USED, '    print("step", 1)\n', ""),
        (USED, '"step", 1', '"steps", UNREAD'),
        (USED, '"a message"', '"another message"'),
        (USED, "found {value}, too large", "{value}: not below {UNREAD}"),
        (USED, "UNREAD = 1", "UNREAD = 2"),
        (USED, "return UNREAD", "return 3"),
        (USED, "def unreached", "NEW = 1\n\n\ndef also_unreached():\n    return NEW\n\n\ndef unreached"),
        (USED, "CONSTANT = 1\nUNREAD = 1", "UNREAD = 1\nCONSTANT = 1"),
        (USED, "from math import sqrt", "import os\nfrom math import sqrt"),
        ("src/gptgrid/deep/inner.py", "OTHER = 1", "OTHER = 2"),
        ("src/gptgrid/deep/far.py", "OTHER = 1", "OTHER = 2"),
        ("src/gptgrid/deep/tools.py", "def blunt():\n    return 1", "def blunt():\n    return 2"),
        ("src/gptgrid/typing_only.py", "Z = 1", "Z = 2"),
        ("src/gptgrid/artifact/machine.py", "pass\n\n\ndef", "code = 2\n\n\ndef"),
        ("src/gptgrid/artifact/variants.py", "pass", "size = 3"),
        (TABLE, '"quick": quick', '"quick": slow'),
        (TABLE, ', "quick": quick', ""),
        (TABLE, '"quick": quick', '"quick": quick, "third": len'),
        (TABLE, "return P", "return 2 * P"),
        ("src/gptgrid/aside/page.py", "P = 1", "P = 2"),
        ("src/gptgrid/aside/page.jinja", "<p>", "<div>"),
    ],
)
def test_what_cannot_change_a_result_is_no_change(project: Path, file: str, old: str, new: str) -> None:
    before = fingerprint(project)
    edit(project / file, old, new)
    assert fingerprint(project) == before


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        (USED, "CONSTANT = 1", "CONSTANT = 2"),
        (USED, "CONSTANT = 1", "CONSTANT = 1.0"),
        (USED, "CONSTANT = 1", "CONSTANT = True"),
        (USED, "CONSTANT = 1", "CONSTANT = None"),
        (USED, "return Shape().area(value) +", "return"),
        (USED, "* self.factor", "+ self.factor"),
        (USED, "class Base:\n    factor = 1", "class Base:\n    factor = 2"),
        (USED, "@marked\n", ""),
        (USED, "raise UserError(", "raise ValueError("),
        (USED, "assert value,", "assert not value,"),
        (USED, "from math import sqrt", "from math import exp as sqrt"),
        (USED, "from math import sqrt", "from cmath import sqrt"),
        (USED, 'registered["one"] = 1', 'registered["one"] = 2'),
        (USED, "    SWITCH = 1", "    SWITCH = 2"),
        (USED, "    fast = None", "    fast = 1"),
        (USED, "class Base", "registered.clear()\n\n\nclass Base"),
        ("src/gptgrid/deep/inner.py", "LIMIT = 1", "LIMIT = '1'"),
        ("src/gptgrid/deep/far.py", "LENGTH = 1", "LENGTH = 2"),
        ("src/gptgrid/deep/tools.py", "def sharpen():\n    return 1", "def sharpen():\n    return 2"),
        ("src/gptgrid/deep/style.css", "p {}", "div {}"),
        ("script.py", "return build, tools.sharpen", "return tools.sharpen, build"),
        (TABLE, "    return kind", "    return None"),
        (TABLE, '"slow": slow', '"slow": quick'),
        (TABLE, "return helper(value)", "return 2 * helper(value)"),
        (TABLE, "def helper(value):\n    return 1", "def helper(value):\n    return 2"),
    ],
)
def test_what_can_change_a_result_is_a_change(project: Path, file: str, old: str, new: str) -> None:
    before = fingerprint(project)
    edit(project / file, old, new)
    assert fingerprint(project) != before


def test_none_and_an_absent_value_differ(project: Path) -> None:
    edit(project / TABLE, "return helper(value)", "return")
    nothing = fingerprint(project)
    edit(project / TABLE, "def slow(value):\n    return", "def slow(value):\n    return None")
    assert fingerprint(project) != nothing


def test_the_second_definition_of_a_name_counts_too(project: Path) -> None:
    edit(project / USED, "class Base", "CONSTANT = CONSTANT * 1\n\n\nclass Base")
    before = fingerprint(project)
    edit(project / USED, "CONSTANT = CONSTANT * 1", "CONSTANT = CONSTANT * 2")
    assert fingerprint(project) != before


def test_a_file_beside_a_reached_module_counts_from_its_first_day(project: Path) -> None:
    before = fingerprint(project)
    (project / "src/gptgrid/deep/page.jinja").write_text("<p>")
    assert fingerprint(project) != before


def test_a_module_that_is_handed_on_whole_counts_whole(project: Path) -> None:
    """Its attributes are then taken where nobody sees it."""
    edit(project / USED, "Shape().area(value)", "Shape().area(inner)")
    before = fingerprint(project)
    edit(project / "src/gptgrid/deep/inner.py", "OTHER = 1", "OTHER = 2")
    assert fingerprint(project) != before


def test_variants_are_those_that_the_names_choose(project: Path) -> None:
    slow, quick = (fingerprint(project, frozenset({name})) for name in ("slow", "quick"))
    assert len({slow, quick, fingerprint(project, frozenset())}) == 3
    assert fingerprint(project, frozenset({"slow", "of no table"})) == slow
    assert source.variant_names() == {"slow", "quick"}
    found = source.closure(project / "script.py", frozenset({"quick"})).parts
    assert "gptgrid.table:quick" in found and "gptgrid.aside/page.jinja" in found
    assert "gptgrid.table:slow" not in found and "gptgrid.table:helper" not in found


def test_moving_the_checkout_is_no_change(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprint(project)
    moved = project / "elsewhere"
    shutil.copytree(project / "src", moved / "src")
    shutil.copy(project / "script.py", moved / "script.py")
    monkeypatch.setattr(source, "ROOT", moved / "src")
    assert fingerprint(moved) == before


def test_what_was_remembered_gives_the_same_as_reading(project: Path) -> None:
    before = fingerprint(project)
    source.sources().save()
    assert list(project.glob(".snakemake/gptgrid/sources.json"))
    assert fingerprint(project) == before
    edit(project / USED, "CONSTANT = 1", "CONSTANT = 2")
    assert fingerprint(project) != before


# -------------------------------------------------------------------------- small packages, one per case


def matters(project: Path, modules: dict[str, str]) -> bool:
    """Say whether VALUE in the source of some modules matters to a program that reads `gptgrid.a.X`."""
    (project / "script.py").write_text("from gptgrid import a\nX = a.X\n")
    found = set()
    for value in ("111", "2"):
        for name, text in modules.items():
            path = project / "src/gptgrid" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.replace("VALUE", value))
        found.add(fingerprint(project))
    return len(found) == 2


FROM_B, B = "from gptgrid.b import X\n", {"b.py": "X = VALUE\n"}
CHOICE = "if choice():\n    from gptgrid.{} import X\nelse:\n    from gptgrid.{} import X\n"
METHODS = """
{}


class X:
    def one(self):
        {}
        return Y

    def two(self):
        {}
        return Y
"""
REGISTER = "TABLE = {}\n\n\ndef register(item):\n    return item\n"
HOOKED = "class Base:\n    def __init_subclass__(cls):\n        TABLE.append(cls)\n"
LATER = "\n\nclass Later(Base):\n    y = VALUE\n"


@pytest.mark.parametrize(
    "modules",
    [
        # A name that a module hands on.
        {"a.py": FROM_B, **B},
        {"a.py": "from gptgrid.c import Y as X\n", "c.py": "from gptgrid.b import X as Y\n", **B},
        {"a.py": "from gptgrid.c import b\nX = b.X\n", "c.py": "from gptgrid import b\n", **B},
        {"a.py": "import gptgrid.c\nX = gptgrid.c.b.X\n", "c.py": "from gptgrid import b\n", **B},
        {"a.py": "from gptgrid import c\nX = use(c)\n", "c.py": FROM_B, **B},
        {"a.py": "from gptgrid.room import X\n", "room/__init__.py": FROM_B, **B},
        {"a.py": "from gptgrid.room import b\nX = b.X\n", "room/__init__.py": "from gptgrid import b\n", **B},
        {"a.py": "class X:\n    from gptgrid.b import X as value\n", **B},
        {"a.py": "from gptgrid.c import X\n", "c.py": "from gptgrid.a import X\nX = VALUE\n"},
        {
            "a.py": "from gptgrid.room import X\n",
            "room/__init__.py": "try:\n    from gptgrid.room.X import f as X\nexcept ImportError:\n    X = VALUE\n",
        },
        # A name with several origins.
        {"a.py": CHOICE.format("b", "c"), "c.py": "X = 1\n", **B},
        {"a.py": CHOICE.format("c", "b"), "c.py": "X = 1\n", **B},
        {"a.py": "try:\n    from gptgrid.b import X\nexcept ImportError:\n    from c import X\n", **B},
        {"a.py": "try:\n    from gptgrid.b import X\nexcept ImportError:\n    X = 1\nY = X\n", **B},
        {"a.py": "match 1:\n    case 1:\n        from gptgrid.b import X\n", **B},
        {"a.py": METHODS.format("from gptgrid.b import X as Y", "import c as Y", ""), **B},
        {"a.py": METHODS.format("import c as Y", "from gptgrid.b import X as Y", ""), **B},
        {"a.py": METHODS.format("", "from gptgrid.b import X as Y", "from c import X as Y"), **B},
        {"a.py": METHODS.format("Y = VALUE", "from c import X as Y", "")},
        # Unusual ways to define it.
        {"a.py": "Y = (X := VALUE)\n"},
        {"a.py": "[X, Y] = 1, VALUE\n"},
        {"a.py": "for X in (1, VALUE):\n    pass\n"},
        {"a.py": "def __getattr__(name):\n    return VALUE\n"},
        {"a.py": "if TYPE_CHECKING:\n    X = 1\nelse:\n    X = VALUE\n"},
        # Printing that is a result.
        {"a.py": "def X(file):\n    print(VALUE, file=file)\n"},
        {"a.py": "def X(**options):\n    print(VALUE, **options)\n"},
        # Rooms and packages.
        {"a.py": "from gptgrid.launching import X\n", "launching.py": "X = VALUE\n"},
        {"a.py": "X = 1\n", "__init__.py": "setting = VALUE\n"},
        {"a.py": "from gptgrid.room.b import X\n", "room/__init__.py": "y = VALUE\n", "room/b.py": "X = 1\n"},
        {"a.py": "X = 1\n", "templates/deeper/page.jinja": "<p>VALUE"},
        # What a module does when it is imported.
        {"a.py": "X = {}\n_ = X.update(y=VALUE)\n"},
        {"a.py": "X = {}\ndone = setattr(X, 'y', VALUE)\n"},
        {"a.py": "X = {}\ny = X['y'] = VALUE\n"},
        {"a.py": "X = {}\ny, X.y = 1, VALUE\n"},
        {"a.py": "X = {}\nX.y: int = VALUE\n"},
        {"a.py": "X = {}\n\n\nclass Y:\n    X['y'] = VALUE\n"},
        {"a.py": f"{REGISTER}X = TABLE\n\n\n@register\ndef later():\n    return VALUE\n"},
        {"a.py": f"{REGISTER}X = TABLE\n\n\n@register('y')\nclass Later:\n    y = VALUE\n"},
        {"a.py": f"{REGISTER}X = TABLE\n\n\n@register\n@cache\ndef later():\n    return VALUE\n"},
        {
            "a.py": "from gptgrid import c\nX = c.TABLE\n\n\n@c.register\ndef f():\n    VALUE\n",
            "c.py": REGISTER,
        },
        {"a.py": f"{HOOKED}X = Base.TABLE{LATER}"},
        {"a.py": f"from gptgrid.c import Base\nX = Base{LATER}", "c.py": HOOKED},
        {
            "a.py": f"{HOOKED}\n\nclass Middle(Base):\n    pass\n\n\nX = 1\n\n\nclass Later(Middle):\n    VALUE\n"
        },
        {"a.py": "class Meta(type):\n    pass\n\n\nX = 1\n\n\nclass Y(metaclass=Meta):\n    y = VALUE\n"},
        {"a.py": f"class Meta(type):\n    pass\n\n\nX = 1\n\n\nclass Base(metaclass=Meta):\n    pass{LATER}"},
    ],
)
def test_what_a_reached_name_stands_for_matters(project: Path, modules: dict[str, str]) -> None:
    assert matters(project, modules)


@pytest.mark.parametrize(
    "modules",
    [
        {"a.py": FROM_B, "b.py": "X = 1\nother = VALUE\n"},
        {
            "a.py": "from gptgrid.c import b\nX = b.X\n",
            "c.py": "from gptgrid import b\n",
            "b.py": "X = 1\ny = VALUE\n",
        },
        {"a.py": f"{FROM_B}from gptgrid.c import Y\n", "b.py": "X = 1\n", "c.py": "Y = VALUE\n"},
        {"a.py": "from gptgrid.launch.server import X\n", "launch/server.py": "X = VALUE\n"},
        {"a.py": "from gptgrid.launch import X\n", "launch/__init__.py": "X = VALUE\n"},
        {"a.py": "X = 1\nif TYPE_CHECKING:\n    Y = VALUE\n"},
        {"a.py": "def X(file):\n    print(VALUE, flush=True)\n"},
        {"a.py": "X = 1\nother = Shape(VALUE)\n"},
        {"a.py": "X = 1\nother = [VALUE for _ in range(3)]\n"},
        {"a.py": "from functools import cache\nX = 1\n\n\n@cache\ndef later():\n    return VALUE\n"},
        {"a.py": "X = 1\n\n\nclass Base:\n    pass\n\n\nclass Later(Base):\n    y = VALUE\n"},
        {"a.py": "X = 1\n\n\ndef later(table):\n    table['y'] = VALUE\n"},
        {"a.py": "X = 1\n", "room/__init__.py": "", "room/templates/page.jinja": "<p>VALUE"},
        {"a.py": "X = 1\n", "templates/__pycache__/page": "VALUE"},
    ],
)
def test_what_no_reached_name_stands_for_does_not_matter(project: Path, modules: dict[str, str]) -> None:
    assert not matters(project, modules)


# ------------------------------------------------------------------- what the source here does without


def unfollowed(tree: ast.AST) -> list[str]:
    """Return what in a syntax tree no reading of it can follow."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            found.append("a relative import")
        elif isinstance(node, ast.ImportFrom | ast.Import):
            found += [alias.name for alias in node.names if alias.name in ("*", "import_module", "runpy")]
        elif isinstance(node, ast.Attribute | ast.Name):
            name = node.attr if isinstance(node, ast.Attribute) else node.id
            if name in ("import_module", "__import__", "spec_from_file_location", "__subclasses__") or (
                isinstance(node, ast.Name) and name in ("exec", "eval", "globals")
            ):
                found.append(name)
        elif isinstance(node, ast.Global):
            found.append("global")
    return found


@pytest.mark.parametrize(
    "text",
    [
        "from . import x",
        "from .x import y",
        "from x import *",
        "from importlib import import_module",
        "importlib.import_module('x')",
        "__import__('x')",
        "globals()['x'] = 1",
        "exec('x')",
        "eval('x')",
        "def f():\n    global x\n    import x",
        "Base.__subclasses__()",
    ],
)
def test_what_cannot_be_followed_is_noticed(text: str) -> None:
    assert unfollowed(ast.parse(text))


@pytest.mark.parametrize("text", ["module.eval()", "from x import y", "import importlib.resources"])
def test_what_can_be_followed_is_not_noticed(text: str) -> None:
    assert not unfollowed(ast.parse(text))


def test_the_source_does_without_what_cannot_be_followed() -> None:
    package = ROOT / "src" / "gptgrid"
    files = [*package.rglob("*.py"), *(ROOT / "workflow" / "scripts").glob("*.py")]
    # The server loads libraries ahead of the programs that it starts, which changes nothing that they do.
    covered = [path for path in files if not path.is_relative_to(package / "launch")]
    found = {str(path): unfollowed(ast.parse(path.read_text(encoding="utf-8"))) for path in covered}
    assert covered and not {name: what for name, what in found.items() if what}


def test_packages_have_no_code_of_their_own() -> None:
    assert not [path for path in (ROOT / "src" / "gptgrid").rglob("__init__.py") if path.read_bytes()]


# ------------------------------------------------------------------------------ the stages themselves


def parts(stage: str, *names: str) -> set[str]:
    return set(source.closure(ROOT / "workflow" / "scripts" / f"{stage}.py", frozenset(names)).parts)


def test_only_the_machinery_is_left_out() -> None:
    """Whoever adds a room here says that nothing in it can change a result."""
    assert source.UNCOVERED == ("gptgrid.artifact", "gptgrid.launch")


@pytest.mark.parametrize(
    ("stage", "inside", "outside"),
    [
        ("corpus", "gptgrid.text.documents", "gptgrid.stages.train"),
        ("tokenizer", "gptgrid.stages.tokenizer.make", "gptgrid.model"),
        ("encode", "gptgrid.tokens.shards", "gptgrid.model"),
        ("train", "gptgrid.trainer.trainer", "gptgrid.stages.evaluate"),
        ("evaluate", "gptgrid.model.score", "gptgrid.stages.train"),
        ("sample", "gptgrid.model.generate", "gptgrid.model.score"),
        ("compare", "gptgrid.stages.compare.tables", "gptgrid.model"),
        ("report", "gptgrid.stages.report.make", "gptgrid.model"),
    ],
)
def test_stages_reach_their_own_rooms(stage: str, inside: str, outside: str) -> None:
    found = parts(stage, "cell")  # a kind of evaluation
    assert any(name.startswith(f"{inside}:") for name in found)
    closed = (outside, "gptgrid.artifact", "gptgrid.launch", "gptgrid.config", "gptgrid.plan")
    assert not [name for name in found if name.startswith(closed)]


def test_the_report_depends_on_its_template_and_style() -> None:
    found = parts("report")
    beside = {path.name for path in (ROOT / "src/gptgrid/stages/report").iterdir() if path.suffix != ".py"}
    assert {f"gptgrid.stages.report/{name}" for name in beside if "." in name} <= found


def test_a_training_depends_on_the_optimizer_that_it_uses() -> None:
    without, adamw = parts("train"), parts("train", "adamw")
    assert "gptgrid.trainer.optimizer:adamw" in adamw - without
    assert "gptgrid.trainer.optimizer:muon" not in adamw


def test_what_needs_no_network_and_cells_do_not_depend_on_each_other() -> None:
    found = {kind: parts("evaluate", kind) for kind in ("cell", "ngram", "xz")}
    reached = {kind: {name.split(":")[0] for name in names} for kind, names in found.items()}
    assert "gptgrid.tokens.ngram" in reached["ngram"] - reached["cell"] - reached["xz"]
    assert "gptgrid.stages.evaluate.compression" in reached["xz"] - reached["cell"] - reached["ngram"]
    assert "gptgrid.model.score" in reached["cell"] - reached["ngram"] - reached["xz"]
