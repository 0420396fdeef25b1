"""Causal self-attention with several heads on one screen, in NumPy (Vaswani et al. 2017).

The model of the pipeline computes the same in fused kernels, for many texts at once.
"""

import numpy as np


def softmax(scores: np.ndarray) -> np.ndarray:
    """Turn the scores of each row into probabilities; the largest is taken away first, so none overflows."""
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def attention(
    x: np.ndarray, qkv: np.ndarray, output: np.ndarray, n_head: int
) -> tuple[np.ndarray, np.ndarray]:
    """Let each token gather from those before it.

    Args:
        x: what stands at each token: (time, d_model).
        qkv: the matrices of queries, keys and values, one below the other: (3 · d_model, d_model).
        output: the matrix behind the heads: (d_model, d_model).
        n_head: into how many heads d_model is cut.

    Returns:
        The sum for each token, (time, d_model), and who looked where, (n_head, time, time).
    """
    time, d_model = x.shape
    queries, keys, values = np.split(x @ qkv.T, 3, axis=1)  # (time, d_model) each
    later = np.triu(np.ones((time, time), dtype=bool), k=1)  # what a token must not see
    mixed, looked = [], []
    for head in np.split(np.arange(d_model), n_head):
        scores = queries[:, head] @ keys[:, head].T / np.sqrt(len(head))  # (time, time)
        scores[later] = -np.inf
        weights = softmax(scores)  # each row sums to 1
        mixed.append(weights @ values[:, head])  # (time, d_model / n_head)
        looked.append(weights)
    return np.concatenate(mixed, axis=1) @ output.T, np.stack(looked)


if __name__ == "__main__":
    draw = np.random.default_rng(0)
    x = draw.normal(size=(4, 8))
    result, weights = attention(x, draw.normal(size=(24, 8)) / 3, draw.normal(size=(8, 8)), n_head=2)
    print(f"x {x.shape} → {result.shape}")
    print(np.array2string(weights[0], precision=2, suppress_small=True))
