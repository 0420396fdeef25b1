"""A fresh checkout of the project in a folder of its own, to run Snakemake in as a user would."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
STAGES = ("corpus", "tokenizer", "encode", "train", "finetune", "evaluate", "sample", "compare", "report")
TEXT = Path("texts/mine.txt")

CONFIG = {
    "experiment": "small",
    "corpora": {
        "mine": {"source": "files", "paths": ["texts/*.txt"], "document": "line"},
        "unused": {"source": "builtin", "name": "toy"},
    },
    "tokenizers": {"bytes": {"kind": "bytes"}, "bpe": {"kind": "bpe", "vocab_size": 300}},
    "models": {
        "gpt2": {"preset": "gpt2", "n_layer": 1, "n_head": 2, "d_model": 16, "context": 16, "dropout": 0.1},
        "llama": {"base": "gpt2", "preset": "llama"},
    },
    "training": {"base": {"steps": 6, "batch_tokens": 64, "sample_every": 3}},
    "sampling": {"prompts": ["the"], "max_new_tokens": 8, "decodings": {"greedy": {"temperature": 0}}},
    "grid": [
        {"corpus": "mine", "tokenizer": "bytes", "model": ["gpt2", "llama"], "training": "base"},
        {"corpus": "mine", "tokenizer": "bpe", "model": "gpt2", "training": "base"},
    ],
    "run": {"device": "cpu"},
}


PLAN = """
import json
from collections import Counter
from gptgrid.plan.plan import read_plan

plan = read_plan([], {})
stale = [artifact.stage for artifact in plan.artifacts.values() if plan.action(artifact) != "keep"]
print(json.dumps(Counter(stale)))
"""


class Checkout:
    """A copy of the project with a small experiment of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("Snakefile", "workflow", "src", "profiles"):
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(
                    source, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
                )
            else:
                folder.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, folder / name)
        (folder / "texts").mkdir()
        lines = (
            f"the {animal} number {n} likes {n * 7 % 10} cakes"
            for n in range(60)
            for animal in ("cat", "dog")
        )
        (folder / TEXT).write_text("\n".join(lines) + "\n")
        self.configure(CONFIG)

    @classmethod
    def there(cls, folder: Path) -> "Checkout":
        """Return a checkout that is there already."""
        checkout = object.__new__(cls)
        checkout.folder = folder
        return checkout

    def configure(self, config: dict) -> None:
        """Write config/config.yaml."""
        path = self.folder / "config" / "config.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(yaml.safe_dump(config, sort_keys=False))

    def config(self) -> dict:
        """Return what config/config.yaml says."""
        return yaml.safe_load((self.folder / "config" / "config.yaml").read_text())

    def redefine(self, file: str, name: str, factor: str = "") -> None:
        """Define a function of the source once more, in other words; what it returns may get a factor."""
        path = self.folder / "src" / "gptgrid" / file
        text = path.read_text()
        assert f"def {name}(" in text
        again = f"def {name}(*arguments):\n    return {factor} {name}_before(*arguments)\n"
        path.write_text(f"{text}\n\n{name}_before = {name}\n\n\n{again}")

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen:
        """Start Snakemake."""
        command = [sys.executable, "-m", "snakemake", *arguments]
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(self.folder / "src"), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def snakemake(self, *arguments: str, code: int = 0, **environment: str) -> str:
        """Run Snakemake to its end, which has an exit code; return what it says."""
        process = self.start(*arguments, **environment)
        said, _ = process.communicate(timeout=300)
        assert process.returncode == code, said
        return said

    def dry(self, *arguments: str, **environment: str) -> dict[str, int]:
        """Return stage → number of jobs that a dry run announces."""
        return planned(self.snakemake("--dry-run", *arguments, **environment))

    def run(self, *arguments: str, code: int = 0, **environment: str) -> dict[str, int]:
        """Run everything; return stage → number of jobs.

        `said` is then what was said, and `made` has stage → number of artifacts that were made, not restored.
        """
        for log in self.folder.glob("logs/**/*.log"):
            log.unlink()
        self.said = self.snakemake(*arguments, code=code, **environment)
        logs = [path.read_text() for path in self.folder.glob("logs/**/*.log")]
        self.made = Counter(re.findall(r"^made: (\w+) ", "\n".join(logs), re.MULTILINE))
        return planned(self.said)

    def python(self, program: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a program of a few lines with the source of the checkout."""
        return subprocess.run(
            [sys.executable, "-c", program, *arguments],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(self.folder / "src"), **environment},
            capture_output=True,
            text=True,
            timeout=300,
        )

    def gptgrid(self, *arguments: str) -> tuple[int, str]:
        """Run the command `gptgrid`; return its exit code and what it says."""
        done = self.python("from gptgrid.cli.main import main; main()", *arguments)
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, done.stdout + done.stderr

    def stale(self, **environment: str) -> dict[str, int]:
        """Return stage → number of artifacts that are not there, as `dry` does, in a third of its time."""
        done = self.python(PLAN, **environment)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def artifacts(self) -> dict[str, bytes]:
        """Return path → bytes of every file that people see but what is volatile."""
        return {
            path.relative_to(self.folder).as_posix(): path.read_bytes()
            for top in ("data", "results/small")
            for path in sorted((self.folder / top).rglob("*"))
            if path.is_file() and path.name not in ("provenance.json", "timing.csv")
        }


def planned(said: str) -> dict[str, int]:
    """Return stage → number of jobs, from Snakemake's table of job counts."""
    return {
        stage: int(count)
        for stage, count in re.findall(r"^(\w+) +(\d+)$", said, re.MULTILINE)
        if stage in STAGES
    }
