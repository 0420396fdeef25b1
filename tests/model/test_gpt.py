"""The model is what its configuration says: against transformers and slow references."""

import itertools
import math

import pytest
import torch
from models import CONTEXT, EOT, VOCAB, documents, make, named, tokens
from torch import nn
from torch.nn import functional

from gptgrid.config.models import Model
from gptgrid.model.build import build
from gptgrid.model.cost import count_parameters, flops_per_token, parameter_count
from gptgrid.model.initialize import initialize
from gptgrid.model.mask import attention_bias, number_documents
from gptgrid.model.position import alibi_slopes, rotate


def test_the_whole_context_is_seen_and_no_window_more() -> None:
    given = tokens(batch=1)
    for window, reach in ((None, 0), (3, CONTEXT - 3)):
        # One layer: with more, information passes through the tokens between.
        module = make(preset="gpt2", n_layer=1, window=window)
        before = module(given)[0, -1]
        for place in range(CONTEXT):
            changed = given.clone()
            changed[0, place] = (changed[0, place] + 1) % VOCAB
            same = torch.equal(module(changed)[0, -1], before)
            assert same == (place < reach)


def bias_of(end: int, **rules: object) -> torch.Tensor:
    return attention_bias(0, end, torch.float32, torch.device("cpu"), **rules)


def test_alibi_is_the_distance_times_the_slopes_of_the_paper() -> None:
    bias = bias_of(5, slopes=torch.tensor(alibi_slopes(8)))[0]
    for head, query, key in itertools.product(range(8), range(5), range(5)):
        expected = -(2.0 ** -(head + 1)) * (query - key) if key <= query else -math.inf
        assert bias[head, query, key] == pytest.approx(expected)
    assert len(alibi_slopes(6)) == 6


def test_bias_by_the_slow_rule() -> None:
    text = torch.tensor([[3, EOT, 4, 5, EOT, EOT, 6], [EOT, 1, 2, 3, 4, 5, 6]])
    documents = [[0, 1, 1, 1, 2, 3, 3], [1] * 7]
    assert number_documents(text, EOT).tolist() == documents
    for window, by_document in itertools.product((None, 1, 3), (False, True)):
        bias = bias_of(7, window=window, documents=torch.tensor(documents) if by_document else None)
        for row, query, key in itertools.product(range(len(bias)), range(7), range(7)):
            visible = key <= query and (window is None or query - key < window)
            if by_document:
                visible = visible and documents[row][query] == documents[row][key]
            assert bias[row, 0, query, key] == (0 if visible else -math.inf)


@pytest.mark.parametrize(
    "switches",
    [
        {},
        {"position": "alibi", "window": 4},
        {"position": "alibi", "document_mask": True, "n_kv_head": 2},
        {"n_kv_head": 1, "parametrization": "mup", "base_width": 8},
    ],
    ids=named,
)
def test_attention_by_the_slow_rule(switches: dict) -> None:
    module, text = make(n_layer=1, **switches), documents(batch=1)
    config, attention, x = module.config, module.blocks[0].attention, module.embedding(text)
    output = attention(x, module.positions.inputs(x, 0, module.documents(text, None)), None, 0)[0]
    heads = attention.qkv(x)[0].view(CONTEXT, -1, 8)  # (time, heads, head width)
    scale = 8**-0.5 if config.parametrization == "standard" else 2**0.5 / 8  # base heads are two wide
    mixed = torch.zeros(CONTEXT, 4, 8)
    for head, query in itertools.product(range(4), range(CONTEXT)):
        begin = 0 if config.window is None else max(0, query - config.window + 1)
        ends = [place for place in range(query + 1) if text[0, place] == EOT]
        if config.document_mask and ends:
            begin = max(begin, ends[-1])
        group = head * config.n_kv_head // 4
        keys = heads[begin : query + 1, 4 + group]
        values = heads[begin : query + 1, 4 + config.n_kv_head + group]
        scores = scale * keys @ heads[query, head]
        if config.position == "alibi":
            scores -= 4.0 ** -(head + 1) * torch.arange(query - begin, -1, -1)
        mixed[query, head] = scores.softmax(0) @ values
    torch.testing.assert_close(output, attention.output(mixed.flatten(1)), rtol=1e-5, atol=1e-5)


def test_rope_depends_on_distances_only() -> None:
    module = make(preset="llama", n_layer=1, context=32)
    text = tokens(batch=1, time=6)
    filler = torch.zeros(1, 10, dtype=torch.long)
    # Rotary positions are relative: shifting a text leaves the attention among its tokens as it was.
    attention, x = module.blocks[0].attention, module.embedding.tokens(torch.cat((filler, text), 1))
    heads = attention.qkv(x).view(1, 16, 12, 8).transpose(1, 2)
    q, k = heads[:, :4], heads[:, 4:8]
    turns = module.positions.cosines[:16], module.positions.sines[:16]
    scores = rotate(q, *turns) @ rotate(k, *turns).transpose(-1, -2)
    early = module.positions.cosines[:6], module.positions.sines[:6]
    shifted = rotate(q[:, :, 10:], *early) @ rotate(k[:, :, 10:], *early).transpose(-1, -2)
    torch.testing.assert_close(scores[:, :, 10:, 10:], shifted, rtol=1e-4, atol=1e-5)


def test_too_many_tokens_are_refused() -> None:
    for preset in ("gpt2", "encoder"):
        with pytest.raises(ValueError, match="13 tokens are more than the context of 12"):
            make(preset=preset)(tokens(time=13))


def test_softcap_bounds_the_logits() -> None:
    assert make(logit_softcap=0.5)(tokens()).abs().max() < 0.5


def test_dropout_works_in_training_only() -> None:
    module = make(dropout=0.5)
    assert torch.equal(module(tokens()), module(tokens()))
    module.train()
    assert not torch.equal(module(tokens()), module(tokens()))


# ------------------------------------------------------------------------- independent references


def copy_weights(ours: nn.Module, theirs: nn.Module, names: dict[str, tuple[str, bool]]) -> None:
    """Copy theirs into ours; names: ours → (theirs, whether it is stored transposed)."""
    source = theirs.state_dict()
    with torch.no_grad():
        for name, parameter in ours.named_parameters():
            theirs_name, transposed = names[name]
            parts = [source[part] for part in theirs_name.split("+")]
            value = torch.cat([part.T if transposed else part for part in parts])
            parameter.copy_(value)


def assert_same_function(
    ours: nn.Module, theirs: nn.Module, pairs: list[tuple[nn.Parameter, nn.Parameter]]
) -> None:
    given, targets = tokens(), tokens().roll(-1, 1)
    mine, other = ours(given), theirs(given).logits
    torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-5)
    for logits in (mine, other):
        functional.cross_entropy(logits.flatten(0, 1), targets.flatten()).backward()
    for own, reference in pairs:
        torch.testing.assert_close(own.grad, reference.grad, rtol=1e-4, atol=1e-4)


def test_gpt2_equals_transformers() -> None:
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=VOCAB, n_positions=CONTEXT, n_embd=32, n_layer=2, n_head=4, initializer_range=0.2
    )
    theirs = GPT2LMHeadModel(config).eval()
    ours = make(preset="gpt2", activation="gelu_tanh")
    names = {
        "embedding.tokens.weight": ("transformer.wte.weight", False),
        "embedding.positions.weight": ("transformer.wpe.weight", False),
        "norm.weight": ("transformer.ln_f.weight", False),
        "norm.bias": ("transformer.ln_f.bias", False),
    }
    parts = {
        "attention_norm": "ln_1",
        "attention.qkv": "attn.c_attn",
        "attention.output": "attn.c_proj",
        "feed_forward_norm": "ln_2",
        "feed_forward.up": "mlp.c_fc",
        "feed_forward.down": "mlp.c_proj",
    }
    for layer, (mine, other) in itertools.product(range(2), parts.items()):
        for kind in ("weight", "bias"):
            transposed = kind == "weight" and "norm" not in mine
            names[f"blocks.{layer}.{mine}.{kind}"] = (f"transformer.h.{layer}.{other}.{kind}", transposed)
    copy_weights(ours, theirs, names)
    inner = theirs.transformer
    assert_same_function(
        ours,
        theirs,
        [
            (ours.embedding.tokens.weight, inner.wte.weight),
            (ours.embedding.positions.weight, inner.wpe.weight),
            (ours.blocks[0].attention_norm.weight, inner.h[0].ln_1.weight),
            (ours.blocks[1].feed_forward.down.bias, inner.h[1].mlp.c_proj.bias),
        ],
    )


@pytest.mark.parametrize("n_kv_head", [4, 2])
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("family", ["Llama", "Qwen3"])
def test_llama_and_qwen3_equal_transformers(family: str, n_kv_head: int, tied: bool) -> None:
    import transformers

    torch.manual_seed(0)
    config = getattr(transformers, f"{family}Config")(
        vocab_size=VOCAB,
        hidden_size=32,
        intermediate_size=88,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=n_kv_head,
        head_dim=8,
        max_position_embeddings=CONTEXT,
        rms_norm_eps=1e-5,
        rope_theta=10000.0,
        tie_word_embeddings=tied,
        initializer_range=0.2,
    )
    theirs = getattr(transformers, f"{family}ForCausalLM")(config).eval()
    qk_norm = family == "Qwen3"
    ours = make(preset="llama", n_kv_head=n_kv_head, tie_embeddings=tied, qk_norm=qk_norm)
    names = {
        "embedding.tokens.weight": ("model.embed_tokens.weight", False),
        "norm.weight": ("model.norm.weight", False),
        "head.weight": ("lm_head.weight", False),
    }
    for layer in range(2):
        prefix, other = f"blocks.{layer}", f"model.layers.{layer}"
        qkv = "+".join(f"{other}.self_attn.{part}_proj.weight" for part in "qkv")
        up = f"{other}.mlp.gate_proj.weight+{other}.mlp.up_proj.weight"
        names |= {
            f"{prefix}.attention_norm.weight": (f"{other}.input_layernorm.weight", False),
            f"{prefix}.attention.qkv.weight": (qkv, False),
            f"{prefix}.attention.output.weight": (f"{other}.self_attn.o_proj.weight", False),
            f"{prefix}.feed_forward_norm.weight": (f"{other}.post_attention_layernorm.weight", False),
            f"{prefix}.feed_forward.up.weight": (up, False),
            f"{prefix}.feed_forward.down.weight": (f"{other}.mlp.down_proj.weight", False),
        }
        if qk_norm:
            for mine, its in (("query", "q"), ("key", "k")):
                names[f"{prefix}.attention.{mine}_norm.weight"] = (
                    f"{other}.self_attn.{its}_norm.weight",
                    False,
                )
    with torch.no_grad():
        for parameter in theirs.parameters():
            if parameter.ndim == 1:  # gains of one would hide mistakes
                parameter.add_(0.1 * torch.randn(parameter.shape))
    copy_weights(ours, theirs, names)
    layer = theirs.model.layers[1]
    assert_same_function(
        ours,
        theirs,
        [
            (ours.embedding.tokens.weight, theirs.model.embed_tokens.weight),
            (ours.blocks[1].feed_forward.down.weight, layer.mlp.down_proj.weight),
            (ours.blocks[1].attention.output.weight, layer.self_attn.o_proj.weight),
            (ours.blocks[1].attention_norm.weight, layer.input_layernorm.weight),
            *([(ours.blocks[1].attention.key_norm.weight, layer.self_attn.k_norm.weight)] if qk_norm else []),
        ],
    )


def test_encoder_is_torchs_own() -> None:
    ours = make(preset="encoder")
    layer = nn.TransformerEncoderLayer(32, 4, 128, 0.0, "relu", batch_first=True)
    reference = nn.TransformerEncoder(layer, 2).eval()
    reference.load_state_dict(ours.encoder.state_dict())
    x = ours.embedding.tokens(tokens()) + ours.embedding.positions.weight
    mask = nn.Transformer.generate_square_subsequent_mask(CONTEXT)
    expected = ours.head(reference(x, mask=mask, is_causal=True))
    torch.testing.assert_close(ours(tokens()), expected, rtol=1e-5, atol=1e-5)


# -------------------------------------------------------------------------- weights and counting


def test_initialization_depends_on_seed_and_name_only() -> None:
    first, second, other = make(seed=1), make(seed=1), make(seed=2)
    state = torch.random.get_rng_state()
    initialize(second, 1)
    assert torch.equal(state, torch.random.get_rng_state()), "the global random state was touched"
    second = make(seed=1)
    for (name, a), b, c in zip(
        first.named_parameters(), second.parameters(), other.parameters(), strict=True
    ):
        assert torch.equal(a, b)
        assert a.ndim == 1 or not torch.equal(a, c), name
    deeper = make(seed=1, n_layer=3)
    assert torch.equal(deeper.embedding.tokens.weight, first.embedding.tokens.weight)


def test_initialization_has_the_stated_spread() -> None:
    module = build(Model(n_layer=8, n_head=4, d_model=128, context=8), VOCAB)
    initialize(module, 0)
    block = module.blocks[3]
    assert block.attention.qkv.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert block.attention.output.weight.std().item() == pytest.approx(0.02 / 4, rel=0.05)
    assert block.feed_forward.down.weight.std().item() == pytest.approx(0.02 / 4, rel=0.05)
    assert (block.attention_norm.weight == 1).all()
    assert (block.attention.qkv.bias == 0).all()


@pytest.mark.parametrize("preset", ["gpt2", "llama", "encoder"])
def test_zero_init_begins_without_blocks(preset: str) -> None:
    module = build(Model(preset=preset, zero_init=True, tie_embeddings=False, context=CONTEXT), VOCAB)
    initialize(module, 0)
    assert module(tokens()).any()
    if preset != "encoder":
        x = module.embedding(tokens())
        block = module.blocks[1]
        assert torch.equal(block(x, module.positions.inputs(x, 0, None), None, 1), x)
    assert module.embedding.tokens.weight.any()


@pytest.mark.parametrize("preset", ["gpt2", "llama", "encoder"])
def test_zero_head_begins_with_equal_chances(preset: str) -> None:
    module = build(Model(preset=preset, zero_head=True, tie_embeddings=False, context=CONTEXT), VOCAB)
    initialize(module, 0)
    assert not module(tokens()).any()
    tied = build(Model(preset=preset, zero_head=True, tie_embeddings=True, context=CONTEXT), VOCAB)
    initialize(tied, 0)
    assert tied.embedding.tokens.weight.any()


def test_norms_without_gain_have_no_weights() -> None:
    for norm in ("layernorm", "rmsnorm"):
        module = make(norm=norm, norm_gain=False, qk_norm=True, bias=False)
        assert all(parameter.ndim == 2 for parameter in module.parameters())


def test_residual_mix_gives_each_block_the_embeddings_again() -> None:
    mixed, plain = make(residual_mix=True, n_layer=1), make(n_layer=1)
    plain.load_state_dict(mixed.state_dict(), strict=False)
    with torch.no_grad():
        mixed.keep.fill_(1.0)
        mixed.recall.fill_(0.0)
    assert torch.equal(mixed(tokens()), plain(tokens()))
    with torch.no_grad():
        mixed.keep.fill_(1.5)
        mixed.recall.fill_(-0.5)
    # Before the first block the stream is the embeddings: 1.5 - 0.5 of them.
    torch.testing.assert_close(mixed(tokens()), plain(tokens()))
    mixed = make(residual_mix=True)
    with torch.no_grad():
        mixed.keep.fill_(0.0)
        mixed.recall.fill_(1.0)
    x = mixed.embedding(tokens())
    last = mixed.blocks[1](x, mixed.positions.inputs(x, 0, None), None, 1)
    assert torch.equal(mixed(tokens()), mixed.head(mixed.norm(last)))


def test_a_pattern_says_which_layers_have_the_window() -> None:
    for pattern, expected in ((None, [3, 3, 3]), ("SL", [3, None, 3]), ("LSSS", [None, 3, 3])):
        module = make(n_layer=3, window=3, window_pattern=pattern)
        assert [block.attention.window for block in module.blocks] == expected
        x = module.embedding(tokens())
        assert module.positions.inputs(x, 0, None).masks.keys() == set(expected)


@pytest.mark.parametrize("preset", ["gpt2", "llama", "modern", "encoder"])
def test_parameters_are_those_that_torch_counts(preset: str) -> None:
    module = make(preset=preset)
    unique = {id(parameter): parameter.numel() for parameter in module.parameters()}
    assert parameter_count(module)["parameters"] == sum(unique.values())
    assert count_parameters(module.config, VOCAB) == sum(unique.values())
    embeddings = [module.embedding.tokens.weight, module.head.weight, module.head.bias]
    if module.embedding.positions is not None:
        embeddings.append(module.embedding.positions.weight)
    outside = {id(parameter): parameter.numel() for parameter in embeddings if parameter is not None}
    inside = sum(unique.values()) - sum(outside.values())
    assert parameter_count(module)["non_embedding_parameters"] == inside


@pytest.mark.parametrize(
    "switches",
    [
        {},
        {"preset": "llama"},
        {"preset": "llama", "n_kv_head": 2, "qk_norm": True, "norm_gain": False},
        {"window": 3, "window_pattern": "SL", "document_mask": True, "parametrization": "mup"},
    ],
    ids=named,
)
def test_flops_are_those_that_torch_counts(switches: dict) -> None:
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    module = make(**switches)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        module(tokens(batch=1)).sum().backward()
    # The first layer's embeddings need no gradient of their input; all products need both.
    assert flops_per_token(module.config, VOCAB) == pytest.approx(
        counter.get_total_flops() / CONTEXT, rel=0.02
    )
