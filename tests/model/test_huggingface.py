"""Models of others, read from their folders, give the logits that transformers gives."""

import json
from pathlib import Path

import checkpoints
import pytest
import torch
from checkpoints import CONTEXT, VOCAB, gpt2, llama, qwen3, write
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import LlamaForCausalLM

from gptgrid.artifact.errors import UserError
from gptgrid.config.checkpoints import read_checkpoint
from gptgrid.config.models import Model
from gptgrid.model.build import build
from gptgrid.model.cost import count_parameters
from gptgrid.model.decoding import Decoding
from gptgrid.model.generate import Rows
from gptgrid.model.huggingface import read_weights

THETA = {"rope_theta": 200.0, "rope_type": "default"}
MODELS = {
    "gpt2": gpt2,
    "gpt2 exact gelu": lambda: gpt2(activation_function="gelu", n_inner=52, layer_norm_epsilon=0.1),
    "gpt2 untied": lambda: gpt2(tie_word_embeddings=False),
    "llama": llama,
    "llama tied": lambda: llama(tie_word_embeddings=True),
    "llama of one key head": lambda: llama(num_key_value_heads=1, rms_norm_eps=0.1, rope_parameters=THETA),
    "llama with biases": lambda: llama(attention_bias=True, mlp_bias=True),
    "llama with narrow heads": lambda: llama(head_dim=6),
    "qwen3": qwen3,
    "qwen3 tied": lambda: qwen3(tie_word_embeddings=True, rope_parameters=THETA),
    "qwen3 with heads of its width": lambda: qwen3(head_dim=8),
    "qwen3 with windows": lambda: qwen3(use_sliding_window=True, sliding_window=5, max_window_layers=1),
    "qwen3 with a long window": lambda: qwen3(
        use_sliding_window=True, sliding_window=99, max_window_layers=1
    ),
}


def read(folder: Path, **keys: object) -> nn.Module:
    """Return the model in a folder, as it is here."""
    model, found = Model(huggingface=str(folder), **keys), read_checkpoint(folder)
    module = build(model, found.vocab_size)
    files = [path for path in found.files if path.suffix == ".safetensors"]
    weights = read_weights(files, model, found.vocab_size)
    assert all(tensor.dtype == torch.float32 for tensor in weights.values())
    weights.setdefault("head.weight", weights["embedding.tokens.weight"])
    module.load_state_dict(weights)
    return module.eval()


def text(time: int = CONTEXT) -> torch.Tensor:
    return torch.randint(VOCAB, (2, time), generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("name", MODELS)
@torch.inference_mode()
def test_logits_are_those_of_transformers(name: str, tmp_path: Path) -> None:
    theirs = MODELS[name]()
    ours = read(write(tmp_path / "it", theirs))
    torch.testing.assert_close(ours(text()), theirs(text()).logits, atol=1e-4, rtol=1e-5)
    assert count_parameters(ours.config, VOCAB) == sum(p.numel() for p in theirs.parameters())


@torch.inference_mode()
def test_a_shorter_context_gives_the_same_logits(tmp_path: Path) -> None:
    for name, theirs in {"gpt2": gpt2(), "qwen3": MODELS["qwen3 with windows"]()}.items():
        ours = read(write(tmp_path / name, theirs), context=5)
        torch.testing.assert_close(ours(text(5)), theirs(text(5)).logits, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@torch.inference_mode()
def test_half_precision_is_converted_to_fp32(dtype: torch.dtype, tmp_path: Path) -> None:
    folder = write(tmp_path / "it", llama().to(dtype))
    theirs = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32)
    torch.testing.assert_close(read(folder)(text()), theirs(text()).logits, atol=1e-4, rtol=1e-5)


@torch.inference_mode()
def test_weights_in_several_files_with_an_index(tmp_path: Path) -> None:
    theirs = qwen3()
    folder = write(tmp_path / "it", theirs, max_shard_size="20KB")
    assert len(list(folder.glob("*.safetensors"))) > 1
    torch.testing.assert_close(read(folder)(text()), theirs(text()).logits, atol=1e-4, rtol=1e-5)


def test_wide_heads_generate_with_a_cache_what_they_predict_without(tmp_path: Path) -> None:
    ours = read(write(tmp_path / "it", qwen3()))
    rows = Rows(ours, [[256]], Decoding(temperature=0), {256}, [0])
    found = [256, *(token.id for _ in range(10) for _, token in rows.advance())]
    logits = ours(torch.tensor([found]))[0]
    assert found[1:] == logits[:-1].argmax(-1).tolist()


def test_names_without_what_stands_before_them_and_tables_of_old_versions(tmp_path: Path) -> None:
    theirs = gpt2()
    folder = write(tmp_path / "it", theirs)
    tensors = load_file(folder / "model.safetensors")
    old = {name.removeprefix("transformer."): tensor for name, tensor in tensors.items()}
    old |= {"h.0.attn.bias": torch.ones(1, 1, 8, 8), "h.0.attn.masked_bias": torch.tensor(-1e4)}
    save_file({**old, "lm_head.weight": old["wte.weight"].clone()}, folder / "model.safetensors")
    with torch.inference_mode():
        torch.testing.assert_close(read(folder)(text()), theirs(text()).logits, atol=1e-4, rtol=1e-5)


def spoil(tensors: dict[str, torch.Tensor], how: str) -> dict[str, torch.Tensor]:
    name = "transformer.h.1.mlp.c_fc.weight"
    changed = {
        "missing": lambda: tensors.pop(name),
        "left over": lambda: tensors.update({"score.weight": torch.ones(2)}),
        "shape": lambda: tensors.update({name: torch.ones(32, 64)}),
        "integers": lambda: tensors.update({name: torch.ones(32, 128, dtype=torch.int8)}),
        "nan": lambda: tensors[name].fill_(float("nan")),
        "head": lambda: tensors.update({"lm_head.weight": torch.ones(VOCAB, 32)}),
    }
    changed[how]()
    return tensors


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("missing", r"no tensor h\.1\.mlp\.c_fc\.weight, which config\.json asks for"),
        ("left over", r"1 tensors have no place in the model of config\.json, such as score\.weight"),
        ("shape", r"h\.1\.mlp\.c_fc\.weight has the shape \[64, 32\], but config\.json asks for \[128, 32\]"),
        ("integers", r"transformer\.h\.1\.mlp\.c_fc\.weight is int8, expected float32, float16, bfloat16"),
        ("nan", r"transformer\.h\.1\.mlp\.c_fc\.weight holds values that are no numbers"),
        ("head", r"lm_head\.weight is not the embedding, although config\.json has tie_word_embeddings"),
    ],
)
def test_weights_of_another_model_are_refused(how: str, message: str, tmp_path: Path) -> None:
    path = write(tmp_path / "it", gpt2()) / "model.safetensors"
    save_file(spoil(load_file(path), how), path)
    with pytest.raises(UserError, match=message):
        read(tmp_path / "it")


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "it", gpt2()) / "model.safetensors"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(UserError, match=r"model\.safetensors cannot be read as safetensors"):
        read(tmp_path / "it")
    path.write_text(json.dumps({"version": "a pointer"}))
    with pytest.raises(UserError, match=r"model\.safetensors cannot be read as safetensors"):
        read(tmp_path / "it")


def test_no_code_of_the_folder_is_run(tmp_path: Path) -> None:
    folder = write(tmp_path / "it", gpt2())
    (folder / "modeling_gpt2.py").write_text("raise SystemExit('run')\n")
    checkpoints.change(folder, auto_map={"AutoModel": "modeling_gpt2.Model"})
    with pytest.raises(
        ValueError, match=r"auto_map names code of its own \(.*modeling_gpt2\.Model.*\), which is never"
    ):
        read_checkpoint(folder)
