"""Uniformly random token ids: a text in which nothing can be learned."""

import numpy as np

from gptgrid.seeds import derive


def noise(vocab_size: int, tokens: int, document_tokens: int, seed: int) -> list[np.ndarray]:
    """Return documents of `document_tokens` ids (uint32) in [0, vocab_size); the last may be shorter."""
    generator = np.random.Generator(np.random.PCG64(derive(seed, "noise")))
    ids = generator.integers(0, vocab_size, size=tokens, dtype=np.uint32)
    return [ids[start : start + document_tokens] for start in range(0, tokens, document_tokens)]
