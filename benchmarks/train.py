"""Training steps beside what people would run instead: a plain loop, and the Trainer of transformers.

    python benchmarks/train.py                 # training and evaluation on the CPU, about twelve minutes
    python benchmarks/train.py --threads 1     # the same with one thread, as the cells of a grid train
    python benchmarks/train.py --grid          # eight small cells at once and one after the other
    python benchmarks/train.py --device cuda   # GPT-2's shape on a GPU (--only small: a tiny one)

The same model (gptgrid's GPT, transformers' own GPT-2 beside it), first weights, batch size, learning rate
and text: Tiny Shakespeare by characters. Every measurement is a process of its own, and all take turns, so
that a noisy machine is noisy for all. The Trainer needs `pip install accelerate`.

Beside each speed stands its share of the peak: the arithmetic of the model (`flops_per_token`, which takes
nothing off for what attention masks) over what square matrix products of the same number format reach on the
same processor and threads, measured in the same turns.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))
REPEATS = 3
THREADS = 2
URL = "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"


@dataclass(frozen=True)
class Size:
    """A model, its batch, and the steps of a measurement."""

    n_layer: int
    n_head: int
    d_model: int
    context: int
    rows: int
    steps: int
    vocab_size: int = 65


SCORED = {"cpu": "test", "cuda": "train"}
"""The split that is scored: long enough to take some seconds."""

SIZES = {
    "small": Size(4, 4, 128, 64, 12, 400),
    "large": Size(6, 6, 384, 256, 16, 30),
    "gpt2": Size(12, 12, 768, 1024, 16, 60, 50304),
}
WARM_UP = 5
"""Steps before the clock starts."""
PEAK = {"cpu": 2048, "cuda": 8192}
"""Rows and columns of the matrices whose product counts as the peak."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--grid", action="store_true", help="eight small cells in place of single ones")
    parser.add_argument("--only", choices=list(SIZES), help="one size alone")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--threads", type=int, default=THREADS)
    parser.add_argument("--work", nargs=3, metavar=("WAY", "SIZE", "FOLDER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        way, size, folder = arguments.work
        print(json.dumps(WAYS[way](SIZES[size], Path(folder), arguments.device)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder)
        if arguments.grid:
            compare_grids(folder, arguments.repeats)
            return
        gpu = arguments.device == "cuda"
        sizes = [arguments.only] if arguments.only else ["gpt2"] if gpu else ["small", "large"]
        for size in sizes:
            compare(f"training, {size}", TRAINING_GPU if gpu else TRAINING, size, folder, arguments)
            compare(f"evaluation, {size}", EVALUATION, size, folder, arguments)


def compare(
    title: str, ways: tuple[str, ...], size: str, folder: Path, arguments: argparse.Namespace
) -> None:
    """Print medians and ratios of several ways to do the same, in turns."""
    rounds = [
        {way: run(way, size, folder, arguments.device, arguments.threads) for way in ("peak", *ways)}
        for _ in range(arguments.repeats)
    ]
    peaks = {kind: max(result["peak"][kind] for result in rounds) for kind in rounds[0]["peak"]}
    print(f"\n{title}: {SIZES[size]}, {arguments.threads} threads")
    print(
        f"  {processor(arguments.device)}: "
        + ", ".join(f"{kind} {peak:,.0f} GFLOP/s" for kind, peak in peaks.items())
    )
    base = None
    for way in ways:
        found = [result[way] for result in rounds if result[way] is not None]
        if not found:
            print(f"  {way:28} not here")
            continue
        speeds = [result["tokens_per_second"] for result in found]
        speed = statistics.median(speeds)
        base = base or speed
        kind = "fp32" if found[0]["precision"] == "fp32" else "bf16"
        share = speed * found[0]["flops_per_token"] / peaks[kind] / 1e9
        shown = ("loss", "precision", "allocator")
        rest = {key: found[0][key] for key in shown if key in found[0]}
        print(
            f"  {way:22} {speed:9,.0f} tokens/s ({min(speeds):,.0f} to {max(speeds):,.0f}) "
            f"×{speed / base:.2f}, {share:.0%} of the peak {rest}",
            flush=True,
        )


def run(way: str, size: str, folder: Path, device: str, threads: int = THREADS) -> dict | None:
    """Measure in a process of its own; None if that way is not there."""
    command = [sys.executable, __file__, "--device", device, "--work", way, size, str(folder)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "TQDM_DISABLE": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        print(done.stderr[-500:], file=sys.stderr)
        return None
    return json.loads(done.stdout.splitlines()[-1])


# ------------------------------------------------------------------------------------- text, model


def prepare(folder: Path) -> None:
    """Write Tiny Shakespeare as shards: nine tenths to train, the rest to validate and test."""
    import numpy as np

    from gptgrid.net.download import fetch
    from gptgrid.tokens.codec import IdsCodec, write_codec
    from gptgrid.tokens.document_table import COLUMNS, DocumentTable, table_path
    from gptgrid.tokens.shards import write_shard

    text = fetch(URL, SHA256, folder).read_text(encoding="utf-8")
    characters = sorted(set(text))
    codec = IdsCodec(len(characters))  # nanoGPT's 65 ids, in place of gptgrid's that can spell any text
    write_codec(codec, folder / "codec.json")
    ids = np.searchsorted(characters, list(text)).astype(np.uint16)
    bounds = [0, len(ids) * 90 // 100, len(ids) * 95 // 100, len(ids)]
    splits = {}
    for split, begin, end in zip(("train", "valid", "test"), bounds, bounds[1:], strict=False):
        write_shard(folder / f"{split}-00000.bin", [ids[begin:end]], codec.vocab_size)
        size = {name: 1 if name == "words" else end - begin for name in COLUMNS}
        splits[split] = {"documents": 1, **size}
        table = DocumentTable({name: np.array([count]) for name, count in size.items()})
        table.write(table_path(folder, split))
    manifest = {"facts": {"splits": splits, "vocab_size": codec.vocab_size}}
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def architecture(size: Size) -> dict:
    """Return the model as a configuration: nanoGPT's."""
    from gptgrid.config.models import Model

    shape = {key: getattr(size, key) for key in ("n_layer", "n_head", "d_model", "context")}
    return Model(preset="gpt2", activation="gelu", bias=False, **shape).complete()


def recipe(size: Size, **changes: object) -> dict:
    """Return the training as a configuration."""
    from gptgrid.config.training import Training

    values = {"steps": size.steps + WARM_UP, "batch_tokens": size.rows * size.context, "warmup": 0}
    values |= {"micro_batch": size.rows, "windows": "random", "lr": 1e-3, "schedule": "constant"}
    return Training(**{**values, "threads": threads(), "eval_every": 10**6, **changes}).complete()


def fresh_model(size: Size, vocab_size: int):
    """Return gptgrid's GPT with its first weights."""
    from gptgrid.artifact.identity import namespace
    from gptgrid.model.build import build
    from gptgrid.model.initialize import initialize

    module = build(namespace(architecture(size)), vocab_size)
    initialize(module, 1)
    return module


def flops_per_token(size: Size) -> int:
    """Return the arithmetic of forward and backward for one token."""
    from gptgrid.artifact.identity import namespace
    from gptgrid.model import cost

    return cost.flops_per_token(namespace(architecture(size)), size.vocab_size)


def peak(size: Size, folder: Path, device: str) -> dict:
    """Return the GFLOP/s of the fastest square matrix products by number format."""
    import torch
    from peak import fastest_product

    torch.set_num_threads(threads())
    formats = {"fp32": torch.float32, "bf16": torch.bfloat16}
    return {name: fastest_product(PEAK[device], dtype, device) / 1e9 for name, dtype in formats.items()}


def processor(device: str) -> str:
    """Return the GPU's name, or the processor's and whether it multiplies bf16 by itself."""
    import torch

    if device == "cuda":
        return f"{torch.cuda.get_device_name()}, torch {torch.__version__}"
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    units = [name for name in ("avx512_bf16", "amx_bf16") if any(name in line for line in lines)]
    name = (names or [platform.processor()])[0]
    return f"{name} ({', '.join(units) or 'no bf16'}), torch {torch.__version__}"


def result(size: Size, seconds: float, loss: float, **others: object) -> dict:
    """Return a measurement of training."""
    return {
        "tokens_per_second": size.steps * size.rows * size.context / seconds,
        "flops_per_token": flops_per_token(size),
        "loss": round(loss, 3),
        "precision": "fp32",
        **others,
    }


# ---------------------------------------------------------------------------------------- training


def plain(size: Size, folder: Path, device: str) -> dict:
    """A loop as in nanoGPT's train.py: eager, fp32 (on a GPU autocast to bf16), a window at a time."""
    import numpy as np
    import torch
    from torch.nn import functional

    torch.set_num_threads(threads())
    torch.manual_seed(1)
    leave_products_to_torch()
    module = fresh_model(size, vocabulary(folder)).to(device)
    optimizer = torch.optim.AdamW(
        module.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1, fused=device == "cuda"
    )
    tokens = np.memmap(folder / "train-00000.bin", dtype=np.uint16, mode="r", offset=1024)
    autocast = torch.autocast(device, torch.bfloat16, enabled=device == "cuda")
    losses = []
    for step in range(size.steps + WARM_UP):
        if step == WARM_UP:
            start = clock(device)
        places = torch.randint(len(tokens) - size.context, (size.rows,))
        windows = [torch.from_numpy(tokens[i : i + size.context + 1].astype(np.int64)) for i in places]
        inputs = torch.stack([window[:-1] for window in windows]).to(device)
        targets = torch.stack([window[1:] for window in windows]).to(device)
        with autocast:
            logits = module(inputs)
            loss = functional.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
    precision = "bf16" if device == "cuda" else "fp32"
    return result(size, clock(device) - start, statistics.fmean(losses[-20:]), precision=precision)


def transformers_trainer(size: Size, folder: Path, device: str, **precision: bool) -> dict:
    """transformers' GPT-2 of the same shape under its Trainer."""
    import numpy as np
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainerCallback, TrainingArguments

    torch.set_num_threads(threads())
    config = GPT2Config(
        vocab_size=vocabulary(folder), n_positions=size.context, n_embd=size.d_model, n_layer=size.n_layer,
        n_head=size.n_head, activation_function="gelu", resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
    )  # fmt: skip
    tokens = np.memmap(folder / "train-00000.bin", dtype=np.uint16, mode="r", offset=1024)

    class Windows(torch.utils.data.Dataset):
        def __len__(self) -> int:
            return (size.steps + WARM_UP) * size.rows

        def __getitem__(self, number: int) -> dict:
            place = np.random.default_rng(number).integers(len(tokens) - size.context)
            ids = torch.from_numpy(tokens[place : place + size.context].astype(np.int64))
            return {"input_ids": ids, "labels": ids}

    class Clock(TrainerCallback):
        times: list[float] = []  # noqa: RUF012 -- one run a process

        def on_step_end(self, *_: object, **__: object) -> None:
            self.times.append(clock(device))

    settings = TrainingArguments(
        output_dir=str(folder / "trainer"), max_steps=size.steps + WARM_UP, learning_rate=1e-3,
        per_device_train_batch_size=size.rows, lr_scheduler_type="constant",
        weight_decay=0.1, adam_beta2=0.95, logging_steps=20,
        save_strategy="no", report_to=[], use_cpu=device == "cpu", seed=1, disable_tqdm=True, **precision,
    )  # fmt: skip
    trainer = Trainer(GPT2LMHeadModel(config), settings, train_dataset=Windows(), callbacks=[Clock()])
    trainer.train()
    losses = [row["loss"] for row in trainer.state.log_history if "loss" in row]
    seconds, name = Clock.times[-1] - Clock.times[WARM_UP - 1], next(iter(precision), "fp32")
    return result(size, seconds, float(losses[-1]), precision=name)


def gptgrid(
    size: Size, folder: Path, device: str, chosen: bool = True, run: dict | None = None, **changes: object
) -> dict:
    """gptgrid's trainer, as the `train` stage runs it; `chosen`: with the allocator of its choice."""
    from gptgrid.launch.allocator import describe_allocator, restart_with_allocator

    if chosen:
        restart_with_allocator()
    from gptgrid.artifact.identity import namespace
    from gptgrid.artifact.job import Job
    from gptgrid.config.experiment import Run
    from gptgrid.stages.train.pretraining import Pretraining
    from gptgrid.trainer.trainer import Trainer

    config = {
        "model": architecture(size),
        "training": recipe(size, **changes),
        "seed": 1,
    }
    work = Path(tempfile.mkdtemp(dir=folder))
    inputs = {"shards": folder, "tokenizer": folder}
    job = Job(
        namespace(config),
        inputs,
        work,
        work,
        namespace(Run(device=device, checkpoint_every=1e9, log_every=1e9, **(run or {})).complete()),
    )
    trainer = Trainer(Pretraining(job))
    losses = []
    for number, batch in enumerate(trainer.batches()):
        if number == WARM_UP:
            start = clock(device)
        trainer.train_step(*batch)
        trainer.between_steps()
        if number >= size.steps + WARM_UP - 20:
            losses.append(trainer.progress["loss_sum"].item())
    seconds, first = clock(device) - start, len(losses) > 1
    loss = (losses[-1] - losses[0]) / (len(losses) - 1) if first else losses[0]
    return result(size, seconds, loss, precision=trainer.learner.precision, allocator=describe_allocator())


# -------------------------------------------------------------------------------------- evaluation


def evaluate_plain(size: Size, folder: Path, device: str) -> dict:
    """A forward loop in fp32, a batch of disjoint windows at a time."""
    import numpy as np
    import torch
    from torch.nn import functional

    torch.set_num_threads(threads())
    leave_products_to_torch()
    module = fresh_model(size, vocabulary(folder)).to(device).eval()
    split = SCORED[device]
    tokens = np.memmap(folder / f"{split}-00000.bin", dtype=np.uint16, mode="r", offset=1024)
    count = len(tokens) // (size.context * size.rows) - 1
    nats, start = 0.0, clock(device)
    with torch.no_grad():
        for batch in range(count):
            begin = batch * size.rows * size.context
            ids = torch.from_numpy(tokens[begin : begin + size.rows * size.context + 1].astype(np.int64)).to(
                device
            )
            logits = module(ids[:-1].view(size.rows, size.context))
            nats += functional.cross_entropy(
                logits.view(-1, logits.size(-1)), ids[1:], reduction="sum"
            ).item()
    scored = count * size.rows * size.context
    return evaluation(size, scored / (clock(device) - start), nats / scored)


def evaluate_gptgrid(size: Size, folder: Path, device: str, precision: str = "fp32") -> dict:
    """What the `evaluate` stage does for disjoint windows."""
    from gptgrid.launch.allocator import restart_with_allocator

    restart_with_allocator()
    from gptgrid.model.device import prepare_device
    from gptgrid.model.precision import EMBEDDING, HEAD, choose_precision, round_weights
    from gptgrid.model.score import score
    from gptgrid.tokens.shards import Shards, open_shards

    where = prepare_device(device, threads())
    module = fresh_model(size, vocabulary(folder)).to(where).eval().requires_grad_(False)
    precision = "fp32" if choose_precision(precision, where) == "fp32" else "bf16_weights"
    round_weights(module, precision, exact=(EMBEDDING, HEAD))
    tokens = open_shards(folder, SCORED[device]).arrays[0]
    count = (len(tokens) // (size.context * size.rows) - 1) * size.context * size.rows
    start = clock(device)
    nats = score(module, Shards([tokens[: count + 1]]), size.context, size.context).nats
    return evaluation(size, count / (clock(device) - start), float(nats.mean()), precision)


def evaluation(size: Size, speed: float, loss: float, precision: str = "fp32") -> dict:
    """Return a measurement of evaluation, a third of the arithmetic of training."""
    return {
        "tokens_per_second": speed,
        "flops_per_token": flops_per_token(size) // 3,
        "loss": round(loss, 4),
        "precision": precision,
    }


# -------------------------------------------------------------------------------------------- grid


def compare_grids(folder: Path, repeats: int) -> None:
    """Eight small cells on two cores: two at a time with a thread each, against one after the other."""
    for _ in range(repeats):
        start = time.perf_counter()
        for _ in range(8):
            run("plain", "small", folder, "cpu")
        after = time.perf_counter() - start
        start = time.perf_counter()
        queue = [("gptgrid, one thread", "small")] * 8
        running: list[subprocess.Popen] = []
        while queue or running:
            running = [process for process in running if process.poll() is None]
            while queue and len(running) < THREADS:
                way, size = queue.pop()
                command = [sys.executable, __file__, "--work", way, size, str(folder)]
                running.append(
                    subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                )
            time.sleep(0.02)
        at_once = time.perf_counter() - start
        print(
            f"8 small cells: plain loop, one after the other {after:.1f} s; "
            f"gptgrid, two at once {at_once:.1f} s: ×{at_once / after:.2f}",
            flush=True,
        )


# ------------------------------------------------------------------------------------------- common


def leave_products_to_torch() -> None:
    """Let the model of this process multiply as a plain model in torch does."""
    from gptgrid.model import linear

    linear.mkl_is_slow = lambda: False


def vocabulary(folder: Path) -> int:
    """Return the size of the vocabulary of the prepared text."""
    return json.loads((folder / "manifest.json").read_text())["facts"]["vocab_size"]


def threads() -> int:
    """Return the threads of this measurement."""
    return int(os.environ["OMP_NUM_THREADS"])


def clock(device: str) -> float:
    """Return seconds, when the device has done what it was asked."""
    if device == "cuda":
        import torch

        torch.cuda.synchronize()
    return time.perf_counter()


Way = Callable[[Size, Path, str], dict]
WAYS: dict[str, Way] = {
    "peak": peak,
    "plain": plain,
    "transformers fp32": transformers_trainer,
    "transformers bf16": lambda *given: transformers_trainer(*given, bf16=True),
    "gptgrid": gptgrid,
    "gptgrid, one thread": lambda *given: gptgrid(*given, threads=1),
    "gptgrid, allocator as it comes": lambda *given: gptgrid(*given, chosen=False),
    "gptgrid bf16": lambda *given: gptgrid(*given, precision="bf16"),
    "gptgrid fp32": lambda *given: gptgrid(*given, precision="fp32"),
    "gptgrid compiled": lambda *given: gptgrid(*given, run={"compile": True}),
    "gptgrid graphs": lambda *given: gptgrid(*given, run={"cuda_graphs": True}),
    "evaluate plain": evaluate_plain,
    "evaluate gptgrid": evaluate_gptgrid,
    "evaluate gptgrid auto": lambda *given: evaluate_gptgrid(*given, precision="auto"),
}
TRAINING = (
    "plain",
    "transformers fp32",
    "transformers bf16",
    "gptgrid",
    "gptgrid, allocator as it comes",
    "gptgrid bf16",
    "gptgrid fp32",
)
TRAINING_GPU = (
    "plain",
    "transformers bf16",
    "gptgrid",
    "gptgrid bf16",
    "gptgrid fp32",
    "gptgrid compiled",
    "gptgrid graphs",
)
EVALUATION = ("evaluate plain", "evaluate gptgrid", "evaluate gptgrid auto")

if __name__ == "__main__":
    main()
