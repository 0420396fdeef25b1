"""A folder with a model of others says what the model is; what models here have no switch for is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from gptgrid.config.checkpoints import read_checkpoint
from gptgrid.config.grid import cells_of
from gptgrid.config.models import Model
from gptgrid.config.read import ConfigError, Configuration
from gptgrid.config.training import Untrained

GPT2 = {
    "model_type": "gpt2",
    "vocab_size": 50257,
    "n_embd": 768,
    "n_layer": 12,
    "n_head": 12,
    "n_positions": 1024,
    "n_inner": None,
    "activation_function": "gelu_new",
    "layer_norm_epsilon": 1e-05,
    "bos_token_id": 50256,
}
LLAMA = {
    "model_type": "llama",
    "vocab_size": 49152,
    "hidden_size": 576,
    "intermediate_size": 1536,
    "num_hidden_layers": 30,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "max_position_embeddings": 2048,
    "rms_norm_eps": 1e-05,
    "rope_theta": 10000.0,
    "rope_scaling": None,
    "hidden_act": "silu",
    "tie_word_embeddings": True,
}
QWEN3 = {
    **LLAMA,
    "model_type": "qwen3",
    "hidden_size": 1024,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "rope_theta": 1000000,
    "use_sliding_window": False,
    "sliding_window": None,
    "max_window_layers": 28,
}


def write(folder: Path, config: dict[str, Any], *names: str) -> Path:
    """Write a folder with a config.json and empty files of some names: as a rule, weights and tokenizer."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    for name in names or ("model.safetensors", "tokenizer.json"):
        (folder / name).touch()
    return folder


def keys(folder: Path, **given: object) -> dict[str, Any]:
    return Model(huggingface=str(folder), **given).complete()


def test_published_models_are_what_their_cards_say(tmp_path: Path) -> None:
    gpt2 = keys(write(tmp_path / "gpt2", GPT2))
    expected = {
        **{"n_layer": 12, "n_head": 12, "d_model": 768, "d_ff": 3072, "context": 1024, "norm_eps": 1e-5},
        **{"activation": "gelu_tanh", "tie_embeddings": True, "bias": True, "position": "learned"},
    }
    assert {key: gpt2[key] for key in expected} == expected
    smol = keys(write(tmp_path / "smol", LLAMA))
    expected = {
        **{"n_layer": 30, "n_head": 9, "n_kv_head": 3, "d_model": 576, "d_ff": 1536, "context": 2048},
        **{
            "activation": "swiglu",
            "tie_embeddings": True,
            "bias": False,
            "position": "rope",
            "norm": "rmsnorm",
        },
        **{"head_dim": None, "rope_theta": 10000.0, "qk_norm": False, "norm_eps": 1e-5},
    }
    assert {key: smol[key] for key in expected} == expected
    qwen = keys(write(tmp_path / "qwen", QWEN3), context=512)
    expected = {"head_dim": 128, "qk_norm": True, "rope_theta": 1e6, "context": 512, "window": None}
    assert {key: qwen[key] for key in expected} == expected
    assert read_checkpoint(tmp_path / "gpt2").begins_with == 50256
    assert read_checkpoint(tmp_path / "qwen").begins_with is None


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, None),
        ({"tokenizer_config.json": {"bos_token": "<s>"}}, None),
        ({"tokenizer_config.json": {"chat_template": None}}, None),
        ({"tokenizer_config.json": {"chat_template": "{{ a }}"}}, "{{ a }}"),
        (
            {"tokenizer_config.json": {"chat_template": "{{ a }}"}, "chat_template.jinja": "{{ 狐 }}\n"},
            "{{ 狐 }}\n",
        ),
        (
            {
                "tokenizer_config.json": {
                    "chat_template": [
                        {"name": "tool_use", "template": "{{ a }}"},
                        {"name": "default", "template": "{{ b }}"},
                    ]
                }
            },
            "{{ b }}",
        ),
        ({"tokenizer_config.json": {"chat_template": [{"name": "rag", "template": "{{ a }}"}]}}, None),
    ],
)
def test_the_chat_template_is_where_transformers_looks_for_it(
    files: dict, expected: str | None, tmp_path: Path
) -> None:
    folder = write(tmp_path / "it", GPT2)
    for name, content in files.items():
        text = content if isinstance(content, str) else json.dumps(content)
        (folder / name).write_text(text, encoding="utf-8")
    assert read_checkpoint(folder).chat_template == expected


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("tokenizer_config.json", b"{", "is not JSON"),
        ("tokenizer_config.json", b'{"chat_template": 3}', "chat_template is 3, expected a text"),
        ("chat_template.jinja", b"\xff", "is not UTF-8 text"),
    ],
)
def test_a_damaged_chat_template_is_refused(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    folder = write(tmp_path / "it", GPT2)
    (folder / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_checkpoint(folder)


def test_rotary_frequencies_as_transformers_5_writes_them(tmp_path: Path) -> None:
    rope = {"rope_parameters": {"rope_theta": 500000, "rope_type": "default"}}
    config = {key: value for key, value in LLAMA.items() if not key.startswith("rope")}
    assert keys(write(tmp_path / "it", {**config, **rope}))["rope_theta"] == 500000


def test_layers_with_windows(tmp_path: Path) -> None:
    config = {**QWEN3, "num_hidden_layers": 4, "use_sliding_window": True, "sliding_window": 256}
    old = keys(write(tmp_path / "old", {**config, "max_window_layers": 3}))
    assert (old["window"], old["window_pattern"]) == (256, "LLLS")
    kinds = ["sliding_attention", "full_attention"] * 2
    new = keys(write(tmp_path / "new", {**config, "layer_types": kinds}))
    assert (new["window"], new["window_pattern"]) == (256, "SLSL")
    short = keys(tmp_path / "new", context=256)
    assert (short["window"], short["window_pattern"]) == (None, None)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            GPT2 | {"activation_function": "silu"},
            "activation_function is 'silu', for which models here have no",
        ),
        (GPT2 | {"scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx is True"),
        (GPT2 | {"scale_attn_weights": False}, "scale_attn_weights is False"),
        (GPT2 | {"add_cross_attention": True}, "add_cross_attention is True"),
        (LLAMA | {"hidden_act": "gelu"}, "hidden_act is 'gelu'"),
        (
            LLAMA | {"rope_scaling": {"rope_type": "llama3", "factor": 8.0}},
            "rope_scaling is {'rope_type': 'llama3'",
        ),
        (LLAMA | {"rope_scaling": {"type": "linear", "factor": 2}}, "rope_scaling is {'type': 'linear'"),
        (LLAMA | {"rope_parameters": {"rope_type": "yarn"}}, "rope_parameters is {'rope_type': 'yarn'}"),
        (LLAMA | {"partial_rotary_factor": 0.5}, "partial_rotary_factor is 0.5"),
        (
            LLAMA | {"attention_bias": True},
            "mlp_bias is False, for which models here have no switch, only for True",
        ),
        (QWEN3 | {"attention_bias": True}, "attention_bias is True"),
        (
            QWEN3
            | {"use_sliding_window": True, "sliding_window": 9, "layer_types": ["chunked_attention"] * 30},
            "layer_types is",
        ),
        (LLAMA | {"quantization_config": {"bits": 4}}, "quantization_config is {'bits': 4}"),
        (LLAMA | {"model_type": "mixtral"}, "model_type is 'mixtral'; known: gpt2, llama, qwen3"),
        (
            LLAMA | {"auto_map": {"AutoModel": "x.Y"}},
            "auto_map names code of its own ({'AutoModel': 'x.Y'}), which is never run",
        ),
        (LLAMA | {"num_hidden_layers": None}, "num_hidden_layers: found None, expected a number above 0"),
        (LLAMA | {"hidden_size": "576"}, "hidden_size: found '576', expected a number above 0"),
        (LLAMA | {"vocab_size": 0}, "vocab_size: found 0, expected a number above 0"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_models_here_cannot_be_is_refused_by_its_key(
    config: dict[str, Any], message: str, tmp_path: Path
) -> None:
    folder = write(tmp_path / "it", config)
    with pytest.raises(ValueError) as caught:
        Model(huggingface=str(folder))
    assert f"{folder}/config.json: {message}" in str(caught.value)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ["pytorch_model.bin", "tokenizer.json"],
            "it has pickled weights alone (pytorch_model.bin), which can run code",
        ),
        (["tokenizer.json"], "it has neither model.safetensors nor model.safetensors.index.json"),
        (["model.safetensors"], "it has no tokenizer.json; write one with transformers"),
    ],
)
def test_a_folder_that_lacks_a_file_is_refused(names: list[str], message: str, tmp_path: Path) -> None:
    folder = write(tmp_path / "it", GPT2, *names)
    with pytest.raises(ValueError) as caught:
        read_checkpoint(folder)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ("{", "model.safetensors.index.json is not JSON"),
        ("[]", "model.safetensors.index.json holds no mapping"),
        ('{"weight_map": {}}', "it has no weight_map from tensors to files"),
        (
            '{"weight_map": {"a": "b.safetensors"}}',
            "b.safetensors is missing, which model.safetensors.index.json names",
        ),
        (
            '{"weight_map": {"a": "../b.safetensors"}}',
            "it names '../b.safetensors', which is no safetensors file",
        ),
        ('{"weight_map": {"a": "b.bin"}}', "it names 'b.bin', which is no safetensors file"),
    ],
)
def test_an_index_that_cannot_be_used_is_refused(index: str, message: str, tmp_path: Path) -> None:
    folder = write(tmp_path / "it", GPT2, "tokenizer.json")
    (folder / "model.safetensors.index.json").write_text(index)
    with pytest.raises(ValueError) as caught:
        read_checkpoint(folder)
    assert message in str(caught.value)


def test_a_config_that_is_missing_or_damaged(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"nowhere is no folder \(looked in"):
        read_checkpoint(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"config\.json cannot be read \(No such file"):
        read_checkpoint(tmp_path)
    (tmp_path / "config.json").write_bytes(b"\xff")
    with pytest.raises(ValueError, match=r"config\.json is not JSON"):
        read_checkpoint(tmp_path)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"n_layer": 2},
            "n_layer: config.json in it says it; of other keys, only `context` and `dropout` may",
        ),
        ({"preset": "llama"}, "preset: config.json in it says it"),
        ({"context": 4096}, "context 4096 is longer than that of the checkpoint in it, 1024"),
        ({"context": "4k"}, "context 4000 is longer than that of the checkpoint in it, 1024"),
        ({"contxt": 512}, "unknown key 'contxt'; did you mean 'context'?"),
        ({"context": 0}, "context: found 0"),
    ],
)
def test_keys_beside_a_checkpoint(
    given: dict[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "it", GPT2)
    with pytest.raises(ConfigError) as caught:
        configuration({"huggingface": "it", **given})
    assert message in str(caught.value)


# ---------------------------------------------------------------------------------------------- grid


def configuration(model: dict[str, Any], *blocks: dict[str, Any], **changes: Any) -> Configuration:
    config = {
        "corpora": {"toy": {"source": "builtin"}},
        "tokenizers": {"own": {"kind": "huggingface", "file": "it/tokenizer.json"}, "char": {"kind": "char"}},
        "models": {"ref": model, "small": {}},
        "training": {"base": {"steps": 10}},
        "grid": [*blocks, {"tokenizer": "char", "model": "small"}],
    }
    return Configuration({**config, **changes}, "my.yaml")


@pytest.fixture
def _ref(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "it", GPT2)


@pytest.mark.usefixtures("_ref")
def test_a_checkpoint_has_a_cell_without_training() -> None:
    block = {"tokenizer": "own", "model": "ref"}
    first, second = cells_of(configuration({"huggingface": "it"}, block))
    assert (first.name, second.name) == ("toy.own.ref.none.s1", "toy.char.small.base.s1")
    assert first.imported and first.training.value == Untrained()
    assert not second.imported


@pytest.mark.usefixtures("_ref")
def test_a_training_may_start_from_a_checkpoint() -> None:
    block = {"tokenizer": "own", "model": "ref", "training": "base", "seed": [1, 2]}
    first, second, *_ = cells_of(configuration({"huggingface": "it", "dropout": 0.1}, block))
    assert [first.name, second.name] == ["toy.own.ref.base.s1", "toy.own.ref.base.s2"]
    assert first.starts and not first.imported and first.model.value.dropout == 0.1
    varied = {"tokenizer": "own", "model": "ref", "training.lr": [1e-3, 1e-4]}
    names = [cell.name for cell in cells_of(configuration({"huggingface": "it"}, varied))]
    assert names[:2] == ["toy.own.ref.base+lr=0.001.s1", "toy.own.ref.base+lr=0.0001.s1"]
    as_it_is = {"tokenizer": "own", "model": "ref"}
    both = cells_of(configuration({"huggingface": "it"}, as_it_is, block))
    assert [cell.starts for cell in both] == [False, True, True, False]


@pytest.mark.usefixtures("_ref")
def test_checkpoints_alone_need_no_training_section() -> None:
    block = {"tokenizer": "own", "model": "ref", "model.context": [512, 1024]}
    config = configuration({"huggingface": "it"}, training={}, grid=[block])
    assert [cell.name for cell in cells_of(config)] == [
        "toy.own.ref+context=512.none.s1",
        "toy.own.ref+context=1024.none.s1",
    ]
    with pytest.raises(
        ConfigError, match=r"grid\[0\]: `training` is missing, and training has no entry; add one"
    ):
        cells_of(
            configuration({"huggingface": "it"}, training={}, grid=[{"tokenizer": "char", "model": "small"}])
        )


@pytest.mark.usefixtures("_ref")
@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"seed": [1, 2]}, "grid[0].seed: model ref is a checkpoint, of which there is one; leave it out"),
        (
            {"model": ["ref", "small"]},
            "grid[0].model: ref is a checkpoint, which is scored as it is where `training` is missing, but small",
        ),
        ({"model.n_layer": [2]}, "models.ref: n_layer: config.json in it says it"),
        (
            {"tokenizer": "char"},
            "ref reads the ids of its own tokenizer alone; give it {kind: huggingface, file: it/",
        ),
        (
            {"model": "small", "model.huggingface": ["it"]},
            "`huggingface` cannot vary in the grid; give each checkpoint an entry in `models`",
        ),
    ],
)
def test_what_a_checkpoint_cannot_vary_is_refused(block: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        cells_of(configuration({"huggingface": "it"}, {"tokenizer": "own", "model": "ref", **block}))
    assert message in str(caught.value)


def test_heads_may_be_wider_than_the_width_gives_each() -> None:
    assert Model(d_model=32, n_head=3, head_dim=16).head_dim == 16
    assert Model(d_model=32, n_head=4, head_dim=8).head_dim is None
    assert "head_dim" not in Model(d_model=32, n_head=4).slice()
    for given, message in (
        ({"position": "rope", "head_dim": 7}, "rope turns pairs, but a head is 7 wide"),
        ({"parametrization": "mup", "head_dim": 16}, "head_dim does not go with `parametrization: mup`"),
        ({"preset": "encoder", "head_dim": 16}, "head_dim 16 is not in nn.TransformerEncoder"),
    ):
        with pytest.raises(ValueError, match=message):
            Model(d_model=32, n_head=4, **given)
