"""Tokens are told with their places in the text."""

import pytest

from gptgrid.inference.serve.told import Known, Teller
from gptgrid.tokens.codec import BytesCodec


@pytest.mark.parametrize(
    ("data", "places"),
    [
        (b"a\xe5\xb0\x91b", [0, 1, 1, 1, 2]),
        (b"\xe6\x80\xe5\xb0\x91b", [0, 0, 1, 1, 1, 2]),  # the first character breaks off
        (b"\xe6a", [0, 1]),
        (b"\xe0\x80a", [0, 1, 2]),  # two broken characters
        (b"\xe6\x80\x81a", [0, 0, 0, 1]),
        ("\ufffda".encode(), [0, 0, 0, 1]),  # the sign for them may stand in a text, too
    ],
)
def test_places_are_those_of_the_characters_a_token_begins(data, places):
    told = Teller(BytesCodec(), marks=False).tell([Known(value, 0.0, ()) for value in data])
    assert [token.place for token in told] == places
    text = data.decode(errors="replace")
    assert all(
        text[token.place] == chr(value) for token, value in zip(told, data, strict=True) if value < 128
    )
