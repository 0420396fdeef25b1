"""Text comes out in whole characters, and nothing of a stop text does."""

import codecs
from collections.abc import Iterator

import pytest
import torch
from small_codecs import CODECS

from gptgrid.artifact.errors import UserError
from gptgrid.config.models import Model
from gptgrid.model.build import build
from gptgrid.model.continuation import Text, complete, left_out, stream
from gptgrid.model.decoding import Decoding
from gptgrid.model.generate import Token
from gptgrid.model.initialize import initialize
from gptgrid.tokens.codec import BpeCodec, BytesCodec
from gptgrid.tokens.patterns import GPT2

BYTES, BPE = BytesCodec(), CODECS["bpe"]
GREEDY = Decoding(temperature=0)


def make(codec=BPE, **switches: object) -> torch.nn.Module:
    sizes = {"n_layer": 2, "n_head": 2, "d_model": 32, "context": 16, "init_std": 0.3}
    module = build(Model(**{**sizes, **switches}), codec.vocab_size, codec.eot)
    initialize(module, 3)
    return module.eval()


def spelled(
    ids: list[int], stop: tuple[str, ...] = (), codec=BYTES, limit: int | None = None, **more
) -> list[tuple]:
    """Return what a text shows after each of some tokens, with the ids of the tokens, up to its end."""
    text, shown = Text(codec, stop, {codec.eot}, len(ids) if limit is None else limit, **more), []
    for index in ids:
        piece, tokens, finish = text.add(Token(index, 0.0))
        shown.append((piece, [token.id for token in tokens], finish))
        if finish:
            break
    return shown


def text_of(shown: list[tuple]) -> str:
    return "".join(piece for piece, _, _ in shown)


def test_bytes_wait_until_they_make_a_character() -> None:
    ids = list("a狐b".encode())
    assert spelled(ids, limit=99) == [
        ("a", [97], None),
        ("", [], None),
        ("", [], None),
        ("狐", ids[1:4], None),
        ("b", [98], None),
    ]


@pytest.mark.parametrize("cut", [2, 3])
def test_half_a_character_never_comes_out(cut: int) -> None:
    ids = list("a狐".encode())[:cut]
    assert spelled(ids)[-1] == ("", ids[1:], "length")
    assert spelled([*ids, BYTES.eot], limit=99)[-1] == ("", ids[1:], "end")
    assert text_of(spelled(ids)) == "a"


def test_bytes_that_are_no_text_become_a_sign() -> None:
    assert text_of(spelled([255, 97, 0xE7, 98], limit=99)) == "\ufffda\ufffdb"


@pytest.mark.parametrize(
    ("said", "stops", "expected"),
    [
        ("one\n\ntwo", ("\n\n",), "one"),
        ("aaab", ("aab",), "a"),
        ("abcd", ("bcx", "cd"), "ab"),
        ("abcd", ("abcd", "bc"), "a"),
        ("abcd", ("d", "abcd"), ""),
        ("a狐b", ("狐",), "a"),
        ("xab", ("xab",), ""),
        ("xa", ("xab",), "xa"),
    ],
)
@pytest.mark.parametrize("split", [1, 2, 3, 8])
def test_a_stop_text_is_found_however_tokens_cut_it(
    said: str, stops: tuple, expected: str, split: int
) -> None:
    """The tokens of this codec are of one, two, three or all characters."""

    class Cut(BytesCodec):
        def token_bytes(self, index: int) -> bytes:
            return said[index * split : (index + 1) * split].encode()

    count = -(-len(said) // split)
    shown = spelled(list(range(count)), stops, Cut())
    if (said, split) == ("abcd", 8) and stops == ("d", "abcd"):
        expected = ""
    assert text_of(shown) == expected
    assert shown[-1][2] == ("length" if expected == said else "stop")
    seen = ""
    for piece, _, _ in shown:
        seen += piece
        assert expected.startswith(seen)  # nothing is taken back


def test_what_may_begin_a_stop_text_waits_and_comes_when_it_is_none() -> None:
    shown = spelled(list(b"a\nb\n\nc"), ("\n\n",), limit=99)
    assert [piece for piece, _, _ in shown] == ["a", "", "\nb", "", ""]
    assert [finish for _, _, finish in shown] == [None, None, None, None, "stop"]
    assert [tokens for _, tokens, _ in shown] == [[97], [], [10, 98], [], []]


def test_a_token_that_begins_before_the_stop_text_counts() -> None:
    fox = BPE.encode("fox")
    assert len(fox) == 1
    assert spelled(fox, ("x",), BPE) == [("fo", fox, "stop")]
    assert spelled(fox, ("fo",), BPE) == [("", [], "stop")]


def test_special_tokens_are_shown_if_asked_for() -> None:
    codec = BytesCodec(["<|u|>"])
    mark = codec.special_tokens["<|u|>"]
    assert spelled([97, mark], codec=codec) == [("a", [97], None), ("", [mark], "length")]
    assert text_of(spelled([97, mark], codec=codec, marks=True)) == "a<|u|>"
    assert spelled([97, mark, 98], ("<|u|>",), codec, marks=True)[-1] == ("", [], "stop")


def test_the_blank_before_a_text_is_no_part_of_one_that_begins() -> None:
    codec = CODECS["huggingface"]
    ids = codec.encode("fox fox")
    assert text_of(spelled(ids, codec=codec, begins=True)) == "fox fox"
    assert text_of(spelled(ids, codec=codec)) == " fox fox"


def test_finish_says_why() -> None:
    assert spelled([97, BYTES.eot, 98], limit=9)[-1] == ("", [], "end")
    assert spelled([97, 98, 99], limit=2)[-1] == ("b", [98], "length")


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("preset", ["llama", "encoder"])
def test_pieces_are_the_whole_and_texts_do_not_depend_on_each_other(name: str, preset: str) -> None:
    codec = CODECS[name]
    module = make(codec, preset=preset)
    prompts, seeds = ["fox", "", "the old fox, and the hens of the old fox"], [1, 2, 3]
    decoding = Decoding(stop=("e", "\n"))
    whole = complete(module, codec, prompts, decoding, 30, seeds)
    pieces = list(stream(module, codec, prompts, decoding, 30, seeds))
    for row, found in enumerate(whole):
        own = [piece for piece in pieces if piece.row == row]
        assert "".join(piece.text for piece in own) == found.text
        assert [token for piece in own for token in piece.tokens] == list(found.tokens)
        assert [piece.finish for piece in own[:-1]] == [None] * (len(own) - 1)
        assert own[-1].finish == found.finish
        alone = complete(module, codec, [prompts[row]], decoding, 30, [seeds[row]])[0]
        assert (alone.text, [token.id for token in alone.tokens]) == (
            found.text,
            [token.id for token in found.tokens],
        )
        said = codec.decode_bytes([token.id for token in found.tokens])
        whole_characters = codecs.getincrementaldecoder("utf-8")(errors="replace").decode(said)
        assert whole_characters.startswith(found.text)


def test_the_end_of_text_ends_unless_told_not_to() -> None:
    module = make()
    with torch.no_grad():
        module.head.bias = torch.nn.Parameter(torch.zeros(BPE.vocab_size))
        module.head.bias[BPE.eot] = 99.0
    assert complete(module, BPE, ["fox"], GREEDY, 9, [0])[0].finish == "end"
    assert complete(module, BPE, ["fox"], GREEDY, 9, [0])[0].tokens == ()
    ignored = complete(module, BPE, ["fox"], GREEDY, 9, [0], ignore_eos=True)[0]
    assert (ignored.finish, len(ignored.tokens), ignored.text) == ("length", 9, "")


@pytest.mark.parametrize("beams", [1, 2])
def test_other_tokens_can_end_a_text_and_are_not_shown(beams: int) -> None:
    codec = BytesCodec(["<|end|>", "<|other|>"])
    end, module = codec.special_tokens["<|end|>"], make(codec)
    with torch.no_grad():
        module.head.bias = torch.nn.Parameter(torch.zeros(codec.vocab_size))
        module.head.bias[[65, end]] = torch.tensor([99.0, 66.0])
    # It says A and the end, as nothing comes twice but what ends the text.
    decoding = Decoding(temperature=0, no_repeat_ngram=1, beams=beams)
    prompt = [codec.eot, end, 67]
    (found,) = complete(module, codec, [prompt], decoding, 9, [0], ends=[end], marks=True)
    assert (found.text, [token.id for token in found.tokens], found.finish) == ("A", [65], "end")
    (found,) = complete(module, codec, [prompt], decoding, 2, [0], ends=[end], ignore_eos=True, marks=True)
    assert (found.text, found.finish) == ("A<|end|>", "length")


@pytest.mark.parametrize("stop", [(), ("f",)])
def test_beams_say_their_text_at_its_end(stop: tuple) -> None:
    module, decoding = make(), Decoding(beams=3, stop=stop)
    found = complete(module, BPE, ["fox", "a"], decoding, 20, [0, 0], alternatives=2)
    pieces = list(stream(module, BPE, ["fox", "a"], decoding, 20, [0, 0]))
    assert [piece.text for piece in pieces] == [one.text for one in found]
    assert all(piece.finish for piece in pieces)
    assert not any(end in one.text for one in found for end in stop)
    assert all(len(token.alternatives) == 2 for one in found for token in one.tokens)


def test_settings_are_checked_by_the_call_itself() -> None:
    with pytest.raises(UserError, match="top_p is 0"):
        stream(make(), BPE, ["fox"], Decoding(top_p=0), 9, [0])


def test_closing_ends_the_computation() -> None:
    module, passes = make(), []
    module.register_forward_pre_hook(lambda *_: passes.append(1))
    pieces = stream(module, BPE, ["fox"], GREEDY, 50, [0], ignore_eos=True)
    assert isinstance(pieces, Iterator)
    next(pieces)
    so_far = len(passes)
    pieces.close()
    assert list(pieces) == []
    assert len(passes) == so_far < 20


def test_what_the_context_has_no_room_for() -> None:
    module = make()
    assert left_out(module, list(range(16))) == 0
    assert left_out(module, list(range(20))) == 4


def test_no_character_is_lost_where_a_token_ends_inside_the_next_one() -> None:
    pieces = [bytes([index]) for index in range(256)]
    pieces += [b"\xe4\xb8", b"\xe7\x8b", b"\xe4\xb8\x80", b"\xe4\xb8\x80\xe7", b"\x8b\x90"]
    codec = BpeCodec("bpe", GPT2, pieces, [])
    module, across = make(codec), pieces.index(b"\xe4\xb8\x80\xe7")
    with torch.no_grad():  # so that such tokens come often
        module.head.weight[across] += 3 * module.head.weight[pieces.index(b"a")]
    seeds, met = range(40), 0
    found = complete(
        module, codec, ["a"] * len(seeds), Decoding(temperature=2.0), 30, list(seeds), ignore_eos=True
    )
    for continuation in found:
        ids = [token.id for token in continuation.tokens]
        content = codec.decode_bytes(ids)
        whole = codecs.getincrementaldecoder("utf-8")(errors="replace").decode(content)
        assert continuation.text == whole
        met += b"\xe4\xb8\x80" in content
    assert met


def test_the_token_of_a_stop_text_behind_a_broken_character_is_not_said() -> None:
    broken, stop = "\u4e00".encode()[:2], "b"
    shown = spelled([*b"a", *broken, *stop.encode()], stop=(stop,), limit=99)
    assert text_of(shown) == "a\ufffd"
    assert [index for _, tokens, _ in shown for index in tokens] == [*b"a", *broken]
    assert shown[-1][2] == "stop"
