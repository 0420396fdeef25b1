"""A small tokenizer of each kind that reads text."""

import json

from tokenizers import Tokenizer, decoders, models, normalizers

from gptgrid.tokens.codec import BpeCodec, BytesCodec, CharCodec
from gptgrid.tokens.imported import HuggingFaceCodec


def llama() -> HuggingFaceCodec:
    """Return a tokenizer that begins every text with a blank of its own."""
    pieces = ["<unk>", "</s>", *(f"<0x{value:02X}>" for value in range(256)), *"▁foxhens", "▁f", "ox"]
    merges = [("▁", "f"), ("o", "x")]
    vocabulary = {piece: index for index, piece in enumerate(pieces)}
    tokenizer = Tokenizer(
        models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    )
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.add_special_tokens(["<unk>", "</s>"])
    return HuggingFaceCodec(json.loads(tokenizer.to_str()))


CODECS = {
    "bytes": BytesCodec(),
    "char": CharCodec(" Tadefhilnorsxy,狐"),
    "bpe": BpeCodec("bpe", r"\s?\p{L}+|\s?\S|\s", [*(bytes([value]) for value in range(256)), b"fo", b"fox"]),
    "huggingface": llama(),
}
