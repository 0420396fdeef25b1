"""Texts on which a tokenizer shows whether it gives every text back."""

from itertools import chain

SCRIPTS = (
    "The cat's 12345 friends didn't sit   on\tthe mat. Naïve café — “quotes”! SHE'LL",
    "今天天气很好，我们去公园散步吧。《红楼梦》 日本語のテキスト、カタカナ。 한국어 텍스트",
    "Привет, мир! Ελληνικά; שלום עולם مرحبا بالعالم، ١٢٣ नमस्ते দুনিয়া வணக்கம் สวัสดีชาวโลก ქართული",
)
BLANKS = (
    *(
        " a",
        "  a",
        "a ",
        "a  b",
        "\ta",
        "\t\t\ta",
        "\n",
        "\n\n\na\n",
        "a\r\nb\r\n\r\n",
        "a \n b",
        " \t \n ",
        "\r",
    ),
    *("def f(x):\n    if x:\n\t\treturn  x\n" + " " * 24 + "y" + " " * 25 + "z", "a" + " " * 100 + "b"),
    "\u00a0\u2003a\u3000b\u2028c\u2029d\u0085e\u200bf\ufeff",
)
CHARACTERS = (
    "".join(map(chr, range(0x80))),
    # Every byte that UTF-8 has: the first 256 characters, and one for every other first byte of a longer one.
    "".join(map(chr, range(0x80, 0x100))),
    "".join(map(chr, chain(range(0x100, 0x800, 0x40), range(0x800, 0xD800, 0x800)))),
    "".join(
        map(chr, (0xE000, 0xF8FF, 0xFFFD, 0xFFFF, 0x10000, 0x40000, 0x80000, 0xC0000, 0x100000, 0x10FFFF))
    ),
    "😀 👩‍👩‍👧 🇩🇪 👍🏽 ✔️ ½ １２ ſ ǅ ﬁ Å Å",
    *(
        "é ü Å ñ 가 が",
        "e\u0301 u\u0308 A\u030a n\u0303 \u1100\u1161 か\u3099",
        "क\u093c a\u0323\u0307 \u0301",
    ),
    "Straße STRASSE İstanbul ıI Ǆ",
)
WORDS = (
    *("x" * 2000, "Donaudampfschifffahrtsgesellschaft" * 20, "天地玄黄" * 200, "0123456789" * 50, "?!" * 200),
    'https://example.org/a_b?c=d&e=%20#f {"key": [1.5, -2e10]} <b>x</b> \\n',
)
NAMES = "<|endoftext|> </s> <s> <unk> [UNK] [CLS] <pad> <0x41> <|im_start|>user\n"
"""Of special tokens of many tokenizers."""
PROBES = ("a", *BLANKS, *SCRIPTS, *CHARACTERS, *WORDS)
