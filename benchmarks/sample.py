"""How fast texts are continued, beside `generate` of transformers with the same weights, on a CPU.

    python benchmarks/sample.py                       # two threads, GPT-2 and Llama, a few minutes
    python benchmarks/sample.py --threads 1 --models llama --vocabulary 50257

Six layers of 384, context 256, in fp32, without a stop. `prefill` is the time to the first token behind
prompts of 128 tokens each; `decode` are the tokens per second behind that one. The ways take turns in one
process; medians, and of decode the lowest and highest. Beside them stands what the machine could do: the
fastest product of matrices in fp32, of which prefill takes a share, and the bytes that it reads in a second,
of which decode does.
"""

import argparse
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
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

LAYERS, HEADS, WIDTH, CONTEXT, PROMPT, NEW = 6, 6, 384, 256, 128, 120
DECODINGS = {"greedy": Decoding(temperature=0), "drawn": Decoding(temperature=0.8, top_p=0.95)}
CACHES = {"transformers": None, "transformers, static": "static"}


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
    product, reading = fastest_product(2048, torch.float32), fastest_reading()
    print(f"{processor()}, {arguments.threads} threads: products {product / 1e9:.0f} GFLOP/s, ", end="")
    print(f"reading {reading / 1e9:.1f} GB/s")
    print("| model | batch | decoding | way | prefill, ms | peak's share | decode, tokens/s | of reading |")
    print("|---|---|---|---|---|---|---|---|")
    for name in arguments.models:
        theirs = make(name, arguments.vocabulary)
        ours = same(theirs, arguments.vocabulary)
        for batch in arguments.batches:
            for decoding in arguments.decodings:
                compare(name, theirs, ours, batch, decoding, arguments.repeats, product, reading)


def compare(
    name: str,
    theirs: PreTrainedModel,
    ours: nn.Module,
    batch: int,
    decoding: str,
    repeats: int,
    product: float,
    reading: float,
) -> None:
    """Print a row for each way."""
    prompts = torch.randint(ours.vocab_size, (batch, PROMPT), generator=torch.Generator().manual_seed(1))
    settings = DECODINGS[decoding]
    ways: dict[str, Callable[[int], object]] = {
        way: lambda new, cache=cache: continue_theirs(theirs, prompts, settings, cache, new)
        for way, cache in CACHES.items()
    }
    ways["gptgrid"] = lambda new: continue_ours(ours, prompts, settings, new)
    prefill, decode = defaultdict(list), defaultdict(list)
    for repeat in range(repeats + 1):
        for way, run in ways.items():
            first, all_of_them = seconds(run, 1), seconds(run, NEW)
            if repeat:  # the first warms up
                prefill[way].append(first)
                decode[way].append(batch * (NEW - 1) / (all_of_them - first))
    parameters = count_parameters(ours.config, ours.vocab_size)
    read_once = ours.embedding.tokens.weight.numel() if ours.config.tie_embeddings else 0
    products = 2 * batch * PROMPT * (parameters - ours.embedding.tokens.weight.numel())
    cached = 2 * LAYERS * WIDTH * (PROMPT + NEW / 2)
    for way in ways:
        first, rate = statistics.median(prefill[way]), statistics.median(decode[way])
        bytes_read = 4 * (parameters - ours.embedding.tokens.weight.numel() + read_once + batch * cached)
        print(
            f"| {name} | {batch} | {decoding} | {way} | {first * 1e3:.1f}, "
            f"×{statistics.median(prefill['transformers']) / first:.2f} | {products / first / product:.0%} | "
            f"{rate:,.0f} ({min(decode[way]):,.0f} to {max(decode[way]):,.0f}), "
            f"×{rate / statistics.median(decode['transformers']):.2f} | "
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
