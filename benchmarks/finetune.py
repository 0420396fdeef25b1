"""Fine-tuning beside training: tokens per second of the same model, context and batch, in turns.

    python benchmarks/finetune.py                # on the CPU with one thread, a minute or two
    python benchmarks/finetune.py --threads 2
    python benchmarks/finetune.py --device cuda

Tokens are those of the rows, padding among them; how much of the rows is padding stands beside. A fine-tuning
reads each row with a mask that keeps conversations apart, and scores answers alone; a training reads running
text. Both take turns in one process. On a CPU, seconds are those that the process computed, over its threads,
so that what runs beside it does not count.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))
ROUNDS, STEPS = 7, 4
SIZES = {
    "tiny": {"n_layer": 2, "n_head": 2, "d_model": 64, "context": 128},
    "small": {"n_layer": 4, "n_head": 4, "d_model": 128, "context": 256},
    "wide": {"n_layer": 6, "n_head": 6, "d_model": 384, "context": 512},
}
PRESETS = ("gpt2", "llama")
BATCH_TOKENS = 4096
WORDS = ["the", "a", "of", "king", "queen", "river", "small", "sees", "gives", "where", "who", "gold"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--only", nargs="+", choices=list(SIZES), default=list(SIZES), help="some sizes alone"
    )
    arguments = parser.parse_args()
    from gptgrid.launch.allocator import restart_with_allocator

    restart_with_allocator()
    for size in arguments.only:
        for preset in PRESETS:
            for precision in ("fp32", "auto"):
                with tempfile.TemporaryDirectory() as name:
                    compare(Path(name), size, preset, precision, arguments)


def compare(folder: Path, size: str, preset: str, precision: str, arguments: argparse.Namespace) -> None:
    """Print the speed of a training, and of fine-tunings as shares of it."""
    trainers = prepare(folder, {"preset": preset, **SIZES[size]}, precision, arguments)
    seconds: dict[str, list[float]] = {name: [] for name in trainers}
    batches = {name: iter(trainer.batches()) for name, trainer in trainers.items()}
    for turn in range(ROUNDS + 1):
        for name, trainer in trainers.items():
            start = clock(arguments.device)
            for _ in range(STEPS):
                trainer.train_step(*next(batches[name]))
            if turn:  # the first one warms up
                threads = arguments.threads if arguments.device == "cpu" else 1
                seconds[name].append((clock(arguments.device) - start) / STEPS / threads)
    chosen = trainers["training"].learner.precision
    print(f"\n{size}, {preset}, {precision} ({chosen}): {SIZES[size]}, {arguments.threads} threads")
    base = statistics.median(seconds["training"])
    for name, found in seconds.items():
        middle, padding = statistics.median(found), getattr(trainers[name].task, "padding", 0.0)
        print(
            f"  {name:22} {BATCH_TOKENS / middle:9,.0f} tokens/s "
            f"({BATCH_TOKENS / max(found):,.0f} to {BATCH_TOKENS / min(found):,.0f}) "
            f"×{base / middle:.2f}, padding {padding:.1%}",
            flush=True,
        )


def prepare(folder: Path, model: dict, precision: str, arguments: argparse.Namespace) -> dict:
    """Return trainers by name: of a training, of a fine-tuning, and of one with adapters."""
    from safetensors.torch import save_file

    from gptgrid.artifact.identity import namespace
    from gptgrid.artifact.job import Job
    from gptgrid.config.experiment import Run
    from gptgrid.config.finetuning import Finetuning as FinetuningSection
    from gptgrid.config.models import Model
    from gptgrid.config.training import Training
    from gptgrid.stages.finetune.finetuning import Finetuning
    from gptgrid.stages.train.pretraining import Pretraining
    from gptgrid.trainer.trainer import Trainer

    write_data(folder, model["context"])
    run = namespace(Run(device=arguments.device, checkpoint_every=1e9, log_every=1e9).complete())
    common = {"steps": (ROUNDS + 1) * STEPS, "batch_tokens": BATCH_TOKENS, "precision": precision}
    common |= {"threads": arguments.threads, "eval_every": 10**6, "schedule": "constant", "warmup": 0}
    config = {"model": Model(**model).complete(), "training": Training(**common).complete(), "seed": 1}
    base = Trainer(
        Pretraining(Job(namespace(config), {"shards": folder, "tokenizer": folder}, folder, folder, run))
    )
    save_file(base.learner.weights.copy(), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(base.task.config()))
    trainers = {"training": base}
    for name, lora in (("fine-tuning", None), ("fine-tuning, LoRA", {"rank": 8})):
        section = FinetuningSection(data="few", lora=lora, **common).complete()
        settings = {"finetuning": section, "use": "best", "seed": 1}
        inputs = {"train": folder, "dialogues": folder / "dialogues"}
        trainers[name] = Trainer(Finetuning(Job(namespace(settings), inputs, folder, folder, run)))
    return trainers


def write_data(folder: Path, context: int) -> None:
    """Write a text as shards and dialogues of some words each, a quarter of the context long in the mean."""
    from gptgrid.text.chat_template import Message
    from gptgrid.text.dialogues import DialogueWriter
    from gptgrid.tokens.codec import BytesCodec, write_codec
    from gptgrid.tokens.document_table import COLUMNS, DocumentTable, table_path
    from gptgrid.tokens.shards import write_shard

    (folder / "dialogues").mkdir()
    generator = np.random.default_rng(1)

    def text(length: float) -> str:
        return " ".join(generator.choice(WORDS, size=max(1, int(generator.gamma(2, length / 2)))))

    codec = BytesCodec(("<|im_start|>", "<|im_end|>"))
    write_codec(codec, folder / "codec.json")
    splits = {}
    for split, count in (("train", 2000), ("valid", 50)):
        with DialogueWriter(folder / "dialogues" / f"{split}-00000.parquet") as writer:
            for _ in range(count):
                question, answer = text(context / 40), text(context / 40)
                writer.add([Message("user", question), Message("assistant", answer)])
        ids = codec.encode_stream([text(40) for _ in range(count)])
        write_shard(folder / f"{split}-00000.bin", [ids], codec.vocab_size)
        size = {name: 1 if name == "words" else len(ids) for name in COLUMNS}
        splits[split] = {"documents": 1, **size}
        DocumentTable({name: np.array([value]) for name, value in size.items()}).write(
            table_path(folder, split)
        )
    facts = {"splits": splits, "status": "finished"}
    for place in (folder, folder / "dialogues"):
        (place / "manifest.json").write_text(json.dumps({"facts": facts, "config": {}}))


def clock(device: str) -> float:
    """Return seconds of this process: of a CPU those that it computed, whatever else ran beside it."""
    if device == "cpu":
        return time.process_time()
    import torch

    torch.cuda.synchronize()
    return time.perf_counter()


if __name__ == "__main__":
    main()
