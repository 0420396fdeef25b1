"""More special tokens leave every id where it was."""

import pytest
from small_codecs import CODECS
from tokenizers import Tokenizer

from gptgrid.artifact.errors import UserError
from gptgrid.tokens.codec import BpeCodec, IdsCodec, read_codec, write_codec
from gptgrid.tokens.huggingface import to_tokenizer_json
from gptgrid.tokens.special import END_OF_TEXT
from gptgrid.tokens.widen import widened

MARKS = ["<|im_start|>", "<|im_end|>"]
ALL = CODECS | {
    "tiktoken": BpeCodec("tiktoken", r"\s?\S+|\s+", [bytes([value]) for value in range(256)], ["<|a|>"])
}
every_codec = pytest.mark.parametrize("codec", ALL.values(), ids=ALL)


@every_codec
def test_old_ids_stay_and_new_ones_follow(codec):
    wide = widened(codec, MARKS)
    text = f"a fox and 狐, {END_OF_TEXT} {MARKS[0]}"
    assert wide.encode(text) == codec.encode(text)
    assert wide.eot == codec.eot
    assert wide.vocab_size == codec.vocab_size + 2
    new = dict(zip(MARKS, range(codec.vocab_size, wide.vocab_size), strict=True))
    assert wide.special_tokens == codec.special_tokens | new
    assert wide.encode_marked(MARKS[1])[-1] == codec.vocab_size + 1
    assert wide.decode([codec.vocab_size], special=True) == MARKS[0]


@every_codec
def test_both_files_have_the_same_ids(codec, tmp_path):
    wide = widened(codec, MARKS)
    write_codec(wide, tmp_path / "codec.json")
    read = read_codec(tmp_path)
    assert read.to_json() == wide.to_json()
    assert read.encode_marked("a<|im_start|>b") == wide.encode_marked("a<|im_start|>b")
    library = Tokenizer.from_str(to_tokenizer_json(wide))
    assert {name: library.token_to_id(name) for name in wide.special_tokens} == wide.special_tokens
    assert library.get_vocab_size() == wide.vocab_size


@every_codec
def test_widened_twice_is_widened_at_once(codec):
    assert widened(widened(codec, MARKS[:1]), MARKS[1:]).to_json() == widened(codec, MARKS).to_json()


@pytest.mark.parametrize(
    ("codec", "names", "message"),
    [
        ("bytes", [END_OF_TEXT], r"has the special token '<\|endoftext\|>' already"),
        ("bytes", ["<|a|>", "<|a|>"], r"has the special token '<\|a\|>' already"),
        ("tiktoken", ["<|a|>"], "already"),
        (
            "char",
            ["x"],
            r"'x' cannot be added: it is how a token of the text itself is spelled; write it like",
        ),
        ("char", ["<0x0A>"], "is how a token of the text itself is spelled"),
        ("bpe", ["fox"], "'fox' cannot be added: it is a token of text in this tokenizer"),
        ("bpe", ["Ġfox"], "Ġ, which the Hugging Face format reads as single bytes"),
        ("huggingface", ["</s>"], "already"),
        ("huggingface", ["ox"], "is a token of text in this tokenizer"),
    ],
)
def test_names_that_mean_something_already_are_refused(codec, names, message):
    with pytest.raises(UserError, match=message):
        widened(ALL[codec], names)


def test_ids_without_text_take_none():
    with pytest.raises(UserError, match="kind ids has no text"):
        widened(IdsCodec(10), MARKS)
