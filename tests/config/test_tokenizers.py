"""Names of special tokens that codec.json and tokenizer.json would not agree on are refused."""

import pytest

from gptgrid.config.read import ConfigError, Configuration

GOOD = {
    "corpora": {
        "tales": {"source": "builtin"},
        "noise": {"source": "random", "vocab_size": 9, "tokens": 999},
    },
    "models": {"small": {"n_layer": 2, "d_model": 64}},
    "training": {"base": {"steps": 10}},
    "grid": [{"corpus": "tales", "tokenizer": "mine", "model": "small", "training": "base"}],
}


def read(tokenizer: dict, **corpora: dict) -> Configuration:
    return Configuration(
        {**GOOD, "corpora": {**GOOD["corpora"], **corpora}, "tokenizers": {"mine": tokenizer}}, "my.yaml"
    )


@pytest.mark.parametrize("kind", ["bytes", "char", "bpe"])
@pytest.mark.parametrize(
    "name", ["<|user|>", "[INST]", "<|用户|>", "用户", "USER:", "  ", "</s>", "<user", "\n\nHuman:"]
)
def test_names_that_fit(kind: str, name: str) -> None:
    if (kind, name) == ("bpe", "<user"):
        pytest.skip("one piece of the pattern")
    read({"kind": kind, "special_tokens": [name]})


@pytest.mark.parametrize(
    ("kind", "names", "expected"),
    [
        ("char", ["§"], "special_tokens: '§' is how a token of the text itself is spelled; write it like <|user|>"),
        ("bytes", ["a"], "'a' is how a token of the text itself is spelled"),
        ("char", ["<0x41>"], "'<0x41>' is how a token"),
        ("bytes", ["<|café|>"], "has é, which the Hugging Face format reads as single bytes"),
        ("bpe", ["<|user|>", "user"], "'user' may be a token that is learned from the text"),
        ("bpe", ["<user"], "'<user' may be a token that is learned from the text"),
        ("bpe", ["<<"], "'<<' may be a token that is learned from the text"),
        ("bpe", ["<|a|>", "<|a|>"], "<|a|> is there twice"),
        ("bytes", ["<|endoftext|>"], "<|endoftext|> is there twice (<|endoftext|> always is)"),
        ("bytes", [""], "special_tokens.0: found ''"),
        ("bytes", ["\ud800x"], "special_tokens.0"),
        ("bytes", [5], "special_tokens.0: found 5"),
        ("bytes", "<|user|>", "special_tokens: found '<|user|>'"),
    ],
)  # fmt: skip
def test_names_that_do_not_fit(kind: str, names: object, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read({"kind": kind, "special_tokens": names})
    assert "tokenizers.mine" in str(caught.value) and expected in str(caught.value)
    str(caught.value).encode()


@pytest.mark.parametrize(
    ("tokenizer", "expected"),
    [
        ({"kind": "tiktoken", "encoding": "cl100k_base"}, "found 'cl100k_base', expected 'gpt2'; for others take a tokenizer.json and `kind: huggingface`"),
        ({"kind": "tiktoken", "encoding": "r50k_base"}, "found 'r50k_base'; did you mean 'gpt2'?"),
        ({"kind": "tiktoken", "encoding": ["gpt2"]}, "found ['gpt2'], expected 'gpt2'"),
        ({"kind": "bpe", "pattern": "cl100k_base"}, "found 'cl100k_base'; did you mean 'gpt4'?"),
        ({"kind": "bpe", "pattern": "GPT-4o"}, "found 'GPT-4o'; did you mean 'o200k'?"),
        ({"kind": "bpe", "pattern": "gpt-5"}, "tokenizers.mine.pattern: found 'gpt-5'; input should be 'gpt2', 'gpt4'"),
        ({"kind": "bpe", "vocab_size": 258, "special_tokens": ["<|a|>", "<|b|>"]}, "bytes and special tokens alone are 259"),
        ({"kind": "huggingface"}, "give a `file`, or `path`, `revision` and `sha256`"),
        ({"kind": "huggingface", "file": "a", "path": "a/b"}, "give either a `file`"),
        ({"kind": "huggingface", "file": "a", "eot": ""}, "tokenizers.mine.eot"),
        ({"kind": "huggingface", "file": ""}, "tokenizers.mine.file"),
        ({"kind": "bpe", "memory": 0}, "tokenizers.mine.memory: found 0"),
    ],
)  # fmt: skip
def test_wrong_values_are_explained(tokenizer: dict, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tokenizer)
    print(caught.value)
    assert expected in str(caught.value)


def test_marks_belong_to_text() -> None:
    with pytest.raises(ConfigError, match=r"corpora.tales.marks: found 'specials'"):
        read({"kind": "char"}, tales={"source": "builtin", "marks": "specials"})
    with pytest.raises(ConfigError, match=r"corpora.noise: unknown key 'marks'"):
        read({"kind": "char"}, noise={"source": "random", "vocab_size": 9, "tokens": 999, "marks": "special"})
