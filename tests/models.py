"""Small untrained models for tests: one for every pair of switches, with weights that let each switch show."""

import itertools

import torch
from torch import nn

from gptgrid.config.models import Model
from gptgrid.model.build import build
from gptgrid.model.initialize import initialize

VOCAB = 23
EOT = 22
CONTEXT = 12

CHOICES = {
    "position": [{"position": name} for name in ("learned", "sinusoidal", "rope", "alibi", "none")],
    "activation": [{"activation": name} for name in ("gelu", "gelu_tanh", "relu", "relu2", "swiglu")],
    "window": [
        {},
        {"window": 1},
        {"window": 3},
        {"window": 3, "window_pattern": "SL"},
        {"window": 4, "window_pattern": "L"},
    ],
    "documents": [{"document_mask": False}, {"document_mask": True}],
    "norm": [{"norm": "layernorm"}, {"norm": "rmsnorm"}],
    "norm_position": [{"norm_position": "pre"}, {"norm_position": "post"}],
    "norm_gain": [{"norm_gain": True}, {"norm_gain": False}],
    "heads": [{"n_kv_head": count} for count in (4, 2, 1)],
    "qk_norm": [{"qk_norm": False}, {"qk_norm": True}],
    "head": [{"tie_embeddings": True}, {"tie_embeddings": False}],
    "bias": [{"bias": True}, {"bias": False}],
    "softcap": [{}, {"logit_softcap": 5.0}],
    "zero_init": [{"zero_init": False}, {"zero_init": True}],
    "zero_head": [{"zero_head": False}, {"zero_head": True}],
    "residual_mix": [{"residual_mix": False}, {"residual_mix": True}],
    "width": [{}, {"parametrization": "mup", "base_width": 8}],
}
"""Switch → its settings."""


def pairwise(sizes: list[int]) -> list[tuple[int, ...]]:
    """Return few rows of choices, one of each size, such that any two choices meet in a row.

    Greedy: each row begins with a pair that has not met, and adds what meets most of what it has not met.
    """
    left = {
        ((i, a), (j, b))
        for (i, n), (j, m) in itertools.combinations(enumerate(sizes), 2)
        for a, b in itertools.product(range(n), range(m))
    }
    rows = []
    while left:
        row = dict(min(left))
        for place, size in enumerate(sizes):
            if place not in row:
                news = [
                    sum(tuple(sorted((one, (place, a)))) in left for one in row.items()) for a in range(size)
                ]
                row[place] = news.index(max(news))
        left -= set(itertools.combinations(sorted(row.items()), 2))
        rows.append(tuple(row[place] for place in range(len(sizes))))
    return rows


GPTS = [
    {
        key: value
        for settings, choice in zip(CHOICES.values(), row, strict=True)
        for key, value in settings[choice].items()
    }
    for row in pairwise([len(settings) for settings in CHOICES.values()])
] + [
    # Not with every other one.
    {"position": "rope", "n_kv_head": 2, "head_dim": 6, "window": 3, "document_mask": True},
]
"""Switches of models in which any two settings of two switches meet."""

ENCODERS = [
    {"preset": "encoder"},
    {
        "preset": "encoder",
        "norm_position": "pre",
        "position": "sinusoidal",
        "activation": "gelu",
        "zero_init": True,
        "zero_head": True,
    },
]


def named(switches: dict) -> str:
    """Return the name of a test with these switches."""
    return "-".join(str(value) for value in switches.values())


def make(seed: int = 0, **switches: object) -> nn.Module:
    """Return a small model with weights large enough that every switch shows."""
    sizes = {"n_layer": 2, "n_head": 4, "d_model": 32, "context": CONTEXT, "init_std": 0.2}
    module = build(Model(**{**sizes, **switches}), VOCAB, EOT)
    initialize(module, seed)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            # Gains, biases and zeros at their first values would hide mistakes.
            if parameter.ndim == 1 or not parameter.any():
                generator = torch.Generator().manual_seed(len(name))
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return module.eval()


def tokens(batch: int = 2, time: int = CONTEXT) -> torch.Tensor:
    """Return text without an end."""
    return torch.randint(EOT, (batch, time), generator=torch.Generator().manual_seed(1))


def documents(batch: int = 2, time: int = CONTEXT) -> torch.Tensor:
    """Return text with ends at other places in each row, also two in a row."""
    text = tokens(batch, time)
    for row, places in zip(text, ([0, 5], [3, 4, 9]), strict=False):
        row[places] = EOT
    return text
