"""Bytes of a text file to text: byte order marks, UTF-8, and a best guess for everything else.

It never replaces a byte that does not fit: such a file is an error that says where.
"""

import codecs

from gptgrid.stage import UserError

MARKS = (
    # UTF-32 first: its little-endian mark begins with that of UTF-16.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

LIKELY = (
    *("cp1252", "cp1250", "cp1251", "koi8_r", "cp1253", "cp1254", "cp1255", "cp1256", "cp874"),
    *("gb18030", "big5hkscs", "cp932", "euc_jp", "iso2022_jp", "cp949", "utf_16_le", "utf_16_be"),
)
"""What a guess may come to, more usual ones first. With the code pages of DOS, old Macs and the Baltic among
them, guesses on Western European texts are worse; who has such a text sets `encoding`."""


def decode(data: bytes, encoding: str, name: str) -> tuple[str, dict[str, str | bool]]:
    """Return the text, with LF line ends and without a byte order mark, and what its encoding is.

    Args:
        data: the whole file.
        encoding: a Python codec, or `auto`.
        name: what to call the file in errors.

    Raises:
        UserError: the encoding is unknown, does not fit, or cannot be guessed.
    """
    found = detect(data, name) if encoding == "auto" else {"encoding": encoding, "guessed": False}
    try:
        text = data.decode(found["encoding"])
    except LookupError:
        raise UserError(
            f"{name}: encoding {encoding!r} is unknown; give a name that Python knows "
            "(utf-8, gb18030, shift_jis, latin-1, …) or auto"
        ) from None
    except UnicodeDecodeError as error:
        raise UserError(
            f"{name}: not {found['encoding']}: byte {data[error.start]:#04x} at offset {error.start} "
            f"({error.reason}); mend the file, or set `encoding` to what it is in (auto guesses)"
        ) from None
    return text.removeprefix("\ufeff").replace("\r\n", "\n"), found


def detect(data: bytes, name: str) -> dict[str, str | bool]:
    """Return the encoding of a file, and whether it is a guess.

    Raises:
        UserError: no encoding makes text of it.
    """
    for mark, encoding in MARKS:
        if data.startswith(mark):
            return {"encoding": encoding, "guessed": False}
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        return {"encoding": guess(data, name, error.start), "guessed": True}
    return {"encoding": "utf-8", "guessed": False}


def guess(data: bytes, name: str, offset: int) -> str:
    """Return the likeliest encoding of bytes that are not UTF-8 from `offset` on."""
    # Loaded only where it is needed: nearly every text is UTF-8.
    from charset_normalizer import from_bytes

    matches = from_bytes(data, cp_isolation=list(LIKELY))
    if (best := matches.best()) is None:
        raise UserError(
            f"{name}: not text: byte {data[offset]:#04x} at offset {offset} is not UTF-8, and no other "
            "encoding fits; if it is a text, set `encoding`"
        )
    # Short texts fit several encodings equally well; the library then takes the first by name.
    equal = [match for match in matches if (match.chaos, match.coherence) == (best.chaos, best.coherence)]
    fitting = {encoding for match in equal for encoding in match.could_be_from_charset}
    encoding = next(encoding for encoding in LIKELY if encoding in fitting)
    print(
        f"{name}: not UTF-8 (offset {offset}); read as {encoding}, a guess; set `encoding` if it is wrong",
        flush=True,
    )
    return encoding
