"""Exporting 124 million parameters (12 layers, width 768, the vocabulary of GPT-2): seconds and peak memory.

    python benchmarks/export.py            # half a minute

Every export is a process of its own: its wall time, imports included, and its peak memory are those that the
system reports. The weights are random. `GPTGRID_MIRROR` may name a folder with GPT-2's vocabulary.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from safetensors.torch import save_file

from gptgrid.api import load_tokenizer
from gptgrid.config.models import Model
from gptgrid.config.training import Training
from gptgrid.model.build import build
from gptgrid.model.initialize import initialize
from gptgrid.tokens.codec import write_codec

SIZES = {"n_layer": 12, "n_head": 12, "d_model": 768, "context": 1024}
MODELS = {"gpt2": {"preset": "gpt2"}, "llama": {"preset": "llama", "tie_embeddings": True}}
TARGETS = (
    ("hf", "float32"),
    ("hf", "bfloat16"),
    ("gguf", "float32"),
    ("gguf", "float16"),
    ("safetensors", "float32"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cell", nargs=2, metavar=("MODEL", "FOLDER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.cell:
        return write_cell(arguments.cell[0], Path(arguments.cell[1]))
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", "/tmp")) as folder:
        for model in MODELS:
            cell = Path(folder) / model
            run(sys.executable, __file__, "--cell", model, str(cell))
            print(f"\n{model}, weights of {(cell / 'model.safetensors').stat().st_size / 1e6:,.0f} MB")
            for to, dtype in TARGETS:
                out = f"{cell}-{to}-{dtype}"
                command = (str(Path(sys.executable).parent / "gptgrid"), "export", str(cell))
                seconds, work, peak = run(*command, "--to", to, "--dtype", dtype, "--out", out)
                size = sum(path.stat().st_size for path in Path(out).iterdir()) / 1e6
                times = f"{seconds:5.1f} s ({work:4.1f} s of a processor)"
                print(
                    f"{to:12} {dtype:9} {times}, at most {peak:5,.0f} MB; {size:5,.0f} MB written", flush=True
                )
    return None


def write_cell(name: str, folder: Path) -> None:
    """Write a cell with random weights as a training leaves it."""
    codec = load_tokenizer("gpt2").codec
    model = Model(**SIZES, **MODELS[name])
    module = build(model, codec.vocab_size, codec.eot)
    initialize(module, 0)
    folder.mkdir(parents=True)
    save_file(dict(module.named_parameters()), folder / "model.safetensors")
    recipe = {"model": model.complete(), "vocab_size": codec.vocab_size, "eot": codec.eot}
    recipe |= {"training": Training(steps=1).complete(), "seed": 0}
    (folder / "config.json").write_text(json.dumps(recipe))
    write_codec(codec, folder / "codec.json")


def run(*command: str) -> tuple[float, float, float]:
    """Run a program; return its seconds, those that processors worked, and its peak memory in MB."""
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{' '.join(command)} failed")
    return time.perf_counter() - begin, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


if __name__ == "__main__":
    main()
