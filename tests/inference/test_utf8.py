"""Text is read in pieces as in one, and what is no text is named."""

import bz2
import gzip
import io
import lzma
import zipfile

import pytest

from gptgrid.artifact.errors import UserError
from gptgrid.inference import utf8
from gptgrid.inference.utf8 import read_utf8
from gptgrid.stages.corpus.reading.containers import zstd


def test_files_are_read_in_pieces_without_their_mark(monkeypatch):
    for size in (1, 2, 3, 100):
        monkeypatch.setattr(utf8, "READ", size)
        for text in ("", "a天🪲\r\n\ufeffé", "\ufeff"):
            assert "".join(read_utf8(io.BytesIO(text.encode("utf-8-sig")))) == text
            assert "".join(read_utf8(io.BytesIO(text.encode()))) == text.removeprefix("\ufeff")


@pytest.mark.parametrize("data", [b"abcd\xffef", b"\xef\xbb\xbfa\xff", b"abcd\xe5\xa4", b"ab\xe5\xa4cd"])
def test_the_byte_that_is_no_text_is_named(monkeypatch, data):
    with pytest.raises(UnicodeDecodeError) as error:
        data.decode()
    for size in (1, 2, 100):
        monkeypatch.setattr(utf8, "READ", size)
        with pytest.raises(UserError, match=f"no UTF-8: byte {error.value.start} does not fit; convert"):
            list(read_utf8(io.BytesIO(data)))


def zipped(text: bytes) -> bytes:
    with zipfile.ZipFile(file := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("text.txt", text)
    return file.getvalue()


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, zstd.compress, zipped])
def test_what_is_compressed_is_called_so(pack):
    with pytest.raises(UserError, match="the file is compressed; decompress it first"):
        list(read_utf8(io.BytesIO(pack("The fox and the hens, 天地玄黄.\n".encode() * 9))))


def test_an_empty_archive_is_called_compressed_though_its_bytes_are_utf8():
    with zipfile.ZipFile(file := io.BytesIO(), "w"):
        pass
    with pytest.raises(UserError, match="the file is compressed; decompress it first"):
        list(read_utf8(io.BytesIO(file.getvalue())))


@pytest.mark.parametrize(("data", "place"), [("The fox".encode("utf-16-le"), 1), (b"name" + bytes(508), 4)])
def test_zeros_are_no_text(data, place):
    with pytest.raises(UserError, match=f"no UTF-8: byte {place} is zero, as in UTF-16"):
        list(read_utf8(io.BytesIO(data)))


def test_a_text_may_have_a_zero_now_and_then():
    assert list(read_utf8(io.BytesIO(b"a fox\0 sat"))) == ["a fox\0 sat"]


def test_a_text_may_begin_as_a_compressed_file_does():
    with pytest.raises(UserError, match="no UTF-8: byte 5 does not fit"):
        list(read_utf8(io.BytesIO("BZh: über allem".encode("latin-1"))))
    assert list(read_utf8(io.BytesIO(b"BZh, said the fly"))) == ["BZh, said the fly"]
