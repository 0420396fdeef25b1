"""Token ids drawn at random, to measure speed or to check that nothing can be learned."""

import numpy as np

from gptgrid.artifact.job import Job
from gptgrid.seeds import derive
from gptgrid.stages.corpus.sources.source import Source


def open_random(job: Job) -> Source:
    """Draw the ids that the configuration asks for."""
    config = job.config
    return Source(
        {"all": random_ids(config.vocab_size, config.tokens, config.document_tokens, config.seed)},
        {"name": "random", "seed": config.seed},
        vocabulary={"vocab_size": config.vocab_size},
    )


def random_ids(vocab_size: int, tokens: int, document_tokens: int, seed: int) -> list[np.ndarray]:
    """Return documents of `document_tokens` ids (uint32) in [0, vocab_size); the last may be shorter."""
    generator = np.random.Generator(np.random.PCG64(derive(seed, "noise")))
    ids = generator.integers(0, vocab_size, size=tokens, dtype=np.uint32)
    return [ids[start : start + document_tokens] for start in range(0, tokens, document_tokens)]
