"""Whether a text of ASCII letters with a few other characters is one of Windows in a Western language.

On a handful of bytes, statistics of letters are mostly wrong: `£20` is as good as `Ł20`. What tells is where
each character stands. Read in cp1252, the signs and accented letters of English text stand where a writer
puts them; those of other encodings become signs inside words, capitals behind small letters, or letters
beside digits.
"""

import regex

ENCODING = "cp1252"
FEW = 0.01
"""With a larger share of its letters beyond ASCII, a text has enough of them to tell its language."""
SLIPS = 0.02
"""Share of the characters beyond ASCII that may be misplaced: names of far languages, slips of the pen."""
FOREIGN = r"[\p{L}--[\x00-\x7fªºµ]]"
"""A letter beyond ASCII."""
NO_UMLAUTS = r"(?!(?<!\p{L})[äöüßÄÖÜ]+(?!\p{L}))"
"""They are listed as if they were a word."""
SIGNS = (
    rf"\p{{Ll}}[{FOREIGN}&&\p{{Lu}}]",
    rf"\p{{L}}[{FOREIGN}&&\p{{Lu}}]\p{{Ll}}",
    rf"\d{FOREIGN}|{FOREIGN}\d",
    r"\p{L}[^\x00-\x7f\p{L}’‘´·–—…\u00a0\u00ad]\p{L}",  # a sign inside a word
    r"[\p{L}\d][„‚«¡¿]",
    r"[„‚¡¿](?=\s|$)",
    r"(?<!„[^“\n]*)(?:(?<=[\p{L}\d])“|“(?=\s|$))",  # in German it closes what „ opens
    r"(?<!\d)ª|(?<![\dnN])º|\p{L}µ|µ(?!\p{L})",
    r"[£¥](?=\p{L})|(?<!\d\s*)¥(?!\s*\d)|[™¹²³¾](?=\p{L})",
)
"""What no text with Latin letters has, or hardly any."""
LETTERS = (
    "[ÐÞÝðþýŸÿƒˆ˜¤¦¬¯¨¸]",  # of few languages; bytes that other encodings use for frequent letters
    rf"(?<!{FOREIGN}){NO_UMLAUTS}{FOREIGN}{{3}}",
    rf"(?<!\p{{L}}){NO_UMLAUTS}{FOREIGN}{{2,}}(?!\p{{L}})",
    rf"(?<!\p{{L}})[{FOREIGN}--[ÀÁÅÉÈÍÓÖØÚàáâåæèéêìíòóôöøùú]](?!\p{{L}})",
    r"ã(?![eos]|\b)|õ(?!e)|iæ\b",  # of Portuguese, and of Danish and Latin
    r"[Èè](?=[aeiouAEIOU])|[ìù](?=\p{L})",  # of French and Italian
    r"[ÅØøåÆæ]\p{L}*[àáâãçèêëìíîïñòóôõùú]|[àáâãçèêëìíîïñòóôõùú]\p{L}*[øåæ]",  # of two languages
)
"""What English text with words of Western languages has not, either."""
MISPLACED = regex.compile("|".join(SIGNS), regex.VERSION1)
MISPLACED_WESTERN = regex.compile("|".join(SIGNS + LETTERS), regex.VERSION1)


def is_sparse(data: bytes) -> bool:
    """Return whether a text of ASCII letters has too few others to tell its language by them."""
    text = data.decode(ENCODING, "ignore")
    letters = sum(map(str.isalpha, text))
    beyond = letters - sum(map(str.isalpha, text.encode("ascii", "ignore").decode()))
    return beyond <= FEW * letters


def fits(data: bytes, encoding: str) -> bool:
    """Return whether the characters beyond ASCII of a sparse text stand where a Latin encoding has them."""
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        return False
    beyond = len(text) - len(text.encode("ascii", "ignore"))
    misplaced = MISPLACED_WESTERN if encoding == ENCODING else MISPLACED
    return len(misplaced.findall(text)) <= SLIPS * beyond
