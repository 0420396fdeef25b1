"""How fast texts are continued, beside `generate` of transformers with the same weights, on a CPU.

    python benchmarks/sample.py                       # two threads, GPT-2 and Llama, a few minutes
    python benchmarks/sample.py --threads 1 --models llama --vocabulary 50257

Six layers of 384, context 256, without a stop; each way in fp32 and with weights in bf16, which gptgrid has
with `precision: auto` where the processor multiplies them (its output matrix and its keys stay fp32; those of
transformers do not). `prefill` is the time to the first token behind prompts of 128 tokens each; `decode` are
the tokens per second behind that one. The ways take turns in one process; medians, of decode the lowest and
highest, and what they are of the first way's. Beside them stands what the machine could do: the fastest
product of matrices in the same type, of which prefill takes a share, and the bytes that it reads in a second,
of which decode does.
"""

import argparse
import copy
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from peak import fastest_product, fastest_reading
from torch import nn
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, PreTrainedModel

from gptgrid.config.models import Model
from gptgrid.model.build import build
from gptgrid.model.cost import count_parameters
from gptgrid.model.decoding import Decoding
from gptgrid.model.generate import Rows
from gptgrid.model.huggingface import read_weights
from gptgrid.model.precision import round_for_prediction

LAYERS, HEADS, WIDTH, CONTEXT, PROMPT, NEW = 6, 6, 384, 256, 128, 120
DECODINGS = {"greedy": Decoding(temperature=0), "drawn": Decoding(temperature=0.8, top_p=0.95)}
CACHES = {"transformers": None, "transformers, static": "static"}
TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--models", nargs="+", choices=["gpt2", "llama"], default=["gpt2", "llama"])
    parser.add_argument("--vocabulary", type=int, default=4096)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--decodings", nargs="+", choices=list(DECODINGS), default=list(DECODINGS))
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    products = {name: fastest_product(2048, dtype) for name, dtype in TYPES.items()}
    reading = fastest_reading()
    print(f"{processor()}, {arguments.threads} threads: products in GFLOP/s ", end="")
    print(*(f"{name} {rate / 1e9:.0f}, " for name, rate in products.items()), end="")
    print(f"reading {reading / 1e9:.1f} GB/s")
    print("| model | batch | decoding | way | prefill, ms | peak's share | decode, tokens/s | of reading |")
    print("|---|---|---|---|---|---|---|---|")
    for name in arguments.models:
        theirs = make(name, arguments.vocabulary)
        ours = same(theirs, arguments.vocabulary)
        for batch in arguments.batches:
            for decoding in arguments.decodings:
                compare(name, theirs, ours, batch, decoding, arguments.repeats, products, reading)


def compare(
    name: str,
    theirs: PreTrainedModel,
    ours: nn.Module,
    batch: int,
    decoding: str,
    repeats: int,
    products: dict[str, float],
    reading: float,
) -> None:
    """Print a row for each way."""
    prompts = torch.randint(ours.vocab_size, (batch, PROMPT), generator=torch.Generator().manual_seed(1))
    settings = DECODINGS[decoding]
    ways: dict[tuple[str, str], Callable[[int], object]] = {}
    for kind, dtype in TYPES.items():
        model, module = copy.deepcopy(theirs).to(dtype), copy.deepcopy(ours)
        if kind != "fp32" and round_for_prediction(module, "auto") == "fp32":
            continue  # bf16 is slower on this processor
        for way, cache in CACHES.items():
            ways[way, kind] = partial(continue_theirs, model, prompts, settings, cache)
        ways["gptgrid", kind] = partial(continue_ours, module, prompts, settings)
    prefill, decode = defaultdict(list), defaultdict(list)
    for repeat in range(repeats + 1):
        for way, run in ways.items():
            first, all_of_them = seconds(run, 1), seconds(run, NEW)
            if repeat:  # the first warms up
                prefill[way].append(first)
                decode[way].append(batch * (NEW - 1) / (all_of_them - first))
    body = count_parameters(ours.config, ours.vocab_size) - ours.embedding.tokens.weight.numel()
    head = ours.head.weight.numel()
    blocks = body if ours.config.tie_embeddings else body - head
    cached = batch * 2 * LAYERS * WIDTH * (PROMPT + NEW / 2)
    first_way = next(iter(ways))
    for way, kind in ways:
        first, rate = statistics.median(prefill[way, kind]), statistics.median(decode[way, kind])
        size = TYPES[kind].itemsize
        exact = 4 if way == "gptgrid" else size  # of the output matrix and the keys
        bytes_read = size * (blocks + cached / 2) + exact * (head + cached / 2)
        share = 2 * batch * PROMPT * blocks / first / products[kind]
        print(
            f"| {name} | {batch} | {decoding} | {way}, {kind} | {first * 1e3:.1f}, "
            f"×{statistics.median(prefill[first_way]) / first:.2f} | {share:.0%} | "
            f"{rate:,.0f} ({min(decode[way, kind]):,.0f} to {max(decode[way, kind]):,.0f}), "
            f"×{rate / statistics.median(decode[first_way]):.2f} | "
            f"{bytes_read * rate / batch / reading:.0%} |",
            flush=True,
        )


def make(name: str, vocabulary: int) -> PreTrainedModel:
    """Return a model of transformers with random weights that never ends by itself."""
    torch.manual_seed(0)
    ends = {"bos_token_id": None, "eos_token_id": None, "vocab_size": vocabulary}
    if name == "gpt2":
        sizes = {"n_layer": LAYERS, "n_head": HEADS, "n_embd": WIDTH, "n_positions": CONTEXT}
        return GPT2LMHeadModel(GPT2Config(**sizes, **ends, activation_function="gelu")).eval()
    sizes = {"num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "hidden_size": WIDTH}
    hidden = Model(preset="llama", d_model=WIDTH, n_head=HEADS).d_ff
    config = LlamaConfig(**sizes, **ends, intermediate_size=hidden, max_position_embeddings=CONTEXT)
    return LlamaForCausalLM(config).eval()


def same(theirs: PreTrainedModel, vocabulary: int) -> nn.Module:
    """Return the same model here."""
    with tempfile.TemporaryDirectory() as folder:
        theirs.save_pretrained(folder)
        (Path(folder) / "tokenizer.json").write_text("{}")
        config = Model(huggingface=folder)
        module = build(config, vocabulary)
        weights = read_weights(Path(folder).glob("*.safetensors"), config, vocabulary)
        weights.setdefault("head.weight", weights["embedding.tokens.weight"])
        module.load_state_dict(weights)
    return module.eval().requires_grad_(False)


def continue_theirs(
    model: PreTrainedModel, prompts: torch.Tensor, decoding: Decoding, cache: str | None, new: int
) -> None:
    """Continue prompts (batch, time) by `new` tokens."""
    draws = {"do_sample": False}
    if decoding.temperature:
        draws = {"do_sample": True, "temperature": decoding.temperature, "top_p": decoding.top_p, "top_k": 0}
    found = model.generate(
        prompts,
        attention_mask=torch.ones_like(prompts),
        min_new_tokens=None,
        max_new_tokens=new,
        cache_implementation=cache,
        **draws,
    )
    assert found.shape == (len(prompts), prompts.shape[1] + new)


def continue_ours(module: nn.Module, prompts: torch.Tensor, decoding: Decoding, new: int) -> None:
    """Continue prompts (batch, time) by `new` tokens."""
    rows = Rows(module, prompts.tolist(), decoding, frozenset(), range(len(prompts)))
    for _ in range(new):
        assert len(rows.advance()) == len(prompts)


def seconds(run: Callable[[int], object], new: int) -> float:
    """Return how long it takes."""
    start = time.perf_counter()
    run(new)
    return time.perf_counter() - start


def processor() -> str:
    """Return the name of the processor and what it multiplies bf16 with."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    name = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    units = "with" if torch.cpu._is_amx_tile_supported() else "without"
    return f"{name}, {units} matrix units"


if __name__ == "__main__":
    main()
