"""Texts are continued side by side as if each were alone, and the cache changes nothing."""

import copy

import pytest
import torch
from models import CHOICES, CONTEXT, ENCODERS, EOT, GPTS, VOCAB, documents, make, named

from gptgrid.artifact.errors import UserError
from gptgrid.model import cpu_cache, generate
from gptgrid.model.decoding import Decoding
from gptgrid.model.generate import Reader, Rows, check
from gptgrid.model.packed import ShortRMSNorm
from gptgrid.model.precision import EMBEDDING, HEAD, round_weights

GREEDY = Decoding(temperature=0)
POSITIONS = [choice["position"] for choice in CHOICES["position"]]
PROMPTS = [[EOT, 1], [EOT, *range(9)], [EOT], [EOT, 4, EOT, 5], [i % VOCAB for i in range(3 * CONTEXT)]]
"""Of unlike lengths, one beyond the context."""


def continued(
    module: torch.nn.Module, count: int = 40, seed: int = 0, prompt: tuple = (EOT, 1), **decoding
) -> list:
    rows = Rows(module, [list(prompt)], Decoding(**decoding), {EOT}, [seed])
    return [token.id for _ in range(count) for _, token in rows.advance()]


def uncached(module: torch.nn.Module, ids: list[int], start: int) -> torch.Tensor:
    """Return the logits after ids of which the context begins at `start`."""
    with torch.inference_mode():
        return module(torch.tensor([ids[start:]]))[0, -1]


@pytest.fixture(autouse=True)
def short_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the keys of a short context lie in several blocks."""
    monkeypatch.setattr(cpu_cache, "BLOCK", 5)
    least = 2 * CONTEXT * 32  # texts side by side have it, one has not
    monkeypatch.setitem(cpu_cache.LEAST, torch.float32, least)


class Alone:
    """The law of a full context, for one text: its older half is dropped."""

    def __init__(self, ids: list[int]) -> None:
        self.ids, self.start = list(ids), max(0, len(ids) - CONTEXT)

    def append(self, index: int) -> None:
        self.ids.append(index)
        if len(self.ids) - self.start > CONTEXT:
            self.start = len(self.ids) - CONTEXT // 2


@pytest.mark.parametrize("frozen", [True, False], ids=["packed", "as it is"])
@pytest.mark.parametrize("switches", [*GPTS, *ENCODERS], ids=named)
def test_texts_side_by_side_are_read_as_each_alone_without_a_cache(switches: dict, frozen: bool) -> None:
    """Rows of unlike lengths, far beyond the context; one leaves in the middle."""
    module = make(**switches).requires_grad_(not frozen)
    reader, alone = Reader(module, PROMPTS), [Alone(ids) for ids in PROMPTS]
    for step in range(2 * CONTEXT):
        if step == 5:
            reader.keep([0, 2, 3, 4])
            alone = [alone[row] for row in (0, 2, 3, 4)]
        logits = reader.next_logits()
        expected = torch.stack([uncached(module, text.ids, text.start) for text in alone])
        torch.testing.assert_close(logits, expected, rtol=1e-5, atol=1e-5)
        # Ends of text now and then, at other places in each text.
        chosen = [
            EOT if (len(text.ids) + 2 * row) % 7 == 0 else (step + row) % EOT
            for row, text in enumerate(alone)
        ]
        reader.append(chosen)
        for text, index in zip(alone, chosen, strict=True):
            text.append(index)


@pytest.mark.parametrize("context", [1, 2, 3])
def test_the_shortest_contexts(context: int) -> None:
    module = make(context=context)
    ids = continued(module, 9, temperature=0)
    start, text = 0, [EOT, 1]
    for index in ids:
        if len(text) - start > context:
            start = len(text) - (context if len(text) == 2 else max(1, context // 2))
        assert index == int(uncached(module, text, start).argmax())
        text.append(index)


@pytest.mark.parametrize("position", POSITIONS)
def test_texts_that_go_on_are_kept_in_the_order_that_is_asked_for(position: str) -> None:
    module = make(position=position)
    reader = Reader(module, [[EOT, 1], [EOT, 2, 3]])
    before = reader.next_logits()
    reader.keep([1, 1, 0])
    torch.testing.assert_close(reader.next_logits(), before[[1, 1, 0]], rtol=1e-5, atol=1e-5)
    reader.append([5, 6, 7])
    expected = [uncached(module, ids, 0) for ids in ([EOT, 2, 3, 5], [EOT, 2, 3, 6], [EOT, 1, 7])]
    torch.testing.assert_close(reader.next_logits(), torch.stack(expected), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("switches", [{}, {"preset": "encoder"}], ids=named)
def test_a_text_does_not_depend_on_its_neighbours(switches: dict) -> None:
    module = make(**switches)
    together = Rows(module, PROMPTS, Decoding(), {EOT}, range(len(PROMPTS)))
    texts = [[] for _ in PROMPTS]
    for step in range(30):
        for row, token in together.advance():
            texts[row].append(token.id)
        together.end({1} if step == 9 else set())
    for row, prompt in enumerate(PROMPTS):
        assert texts[row] == continued(module, 10 if row == 1 else 30, seed=row, prompt=prompt)


def test_greedy_takes_the_likeliest_of_a_plain_loop() -> None:
    module, ids = make(), [EOT, 1]
    for _ in range(6):
        ids.append(int(module(torch.tensor([ids]))[0, -1].argmax()))
    assert continued(module, 6, temperature=0) == ids[2:]


def test_same_seed_same_text_and_another_seed_another() -> None:
    module = make()
    assert continued(module, seed=1) == continued(module, seed=1)
    assert continued(module, seed=1) != continued(module, seed=2)


def test_a_prompt_longer_than_the_context_is_read_from_its_end() -> None:
    module = make()
    long = [i % VOCAB for i in range(20)]
    assert continued(module, 1, prompt=long, temperature=0) == continued(
        module, 1, prompt=long[-CONTEXT:], temperature=0
    )


def test_probabilities_are_the_model_s_own_whatever_the_decoding() -> None:
    module = make()
    rows = Rows(module, [[EOT, 1]], Decoding(temperature=0.1, top_k=2, repetition_penalty=2.0), {EOT}, [0], 3)
    ((_, token),) = rows.advance()
    logprobs = uncached(module, [EOT, 1], 0).log_softmax(-1)
    assert token.logprob == pytest.approx(float(logprobs[token.id]), abs=1e-5)
    best = logprobs.topk(3)
    assert [index for index, _ in token.alternatives] == best.indices.tolist()
    assert [value for _, value in token.alternatives] == pytest.approx(best.values.tolist(), abs=1e-5)
    rows = Rows(module, [[EOT, 1]], GREEDY, {EOT}, [0], VOCAB + 5)
    assert len(rows.advance()[0][1].alternatives) == VOCAB


@pytest.mark.parametrize("penalty", [1.3, 2.0])
@pytest.mark.parametrize("cached", [True, False])
def test_the_penalty_counts_text_and_not_the_mark_between_documents(penalty: float, cached: bool) -> None:
    """Against a loop that reads everything again for each token, with the processor of transformers."""
    from transformers import RepetitionPenaltyLogitsProcessor

    module = make(context=64) if cached else make(context=64, preset="encoder")
    with torch.no_grad():  # often, but not always, the likeliest
        module.head.bias = torch.nn.Parameter(torch.zeros(VOCAB))
        module.head.bias[EOT] = 3.0
    ids, ends = [EOT, 1, EOT, 2], 0
    for _ in range(40):
        logits = module(torch.tensor([ids]))[0, -1:].detach()
        text = torch.tensor([[index for index in ids if index != EOT]])
        ids.append(int(RepetitionPenaltyLogitsProcessor(penalty)(text, logits).argmax()))
        ends += ids[-1] == EOT
    found = continued(module, 40, prompt=(EOT, 1, EOT, 2), temperature=0, repetition_penalty=penalty)
    assert found == ids[4:]
    assert ends > 1


def test_a_penalty_without_text_changes_nothing() -> None:
    module = make()
    plain = continued(module, 1, prompt=(EOT,), temperature=0)
    assert continued(module, 1, prompt=(EOT,), temperature=0, repetition_penalty=1e9) == plain


TINY, HUGE = (5e-324, 1e-39, 1e-7), (1e39, 1e308)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("temperature", value) for value in (*TINY, *HUGE)),
        *(("top_p", value) for value in TINY),
        *(("min_p", value) for value in (*TINY, 1.0)),
        *(("repetition_penalty", value) for value in (*TINY, *HUGE)),
        *(("top_k", value) for value in (VOCAB + 1, 10**30)),
        *(("no_repeat_ngram", value) for value in (1, 10**30)),
    ],
)
@pytest.mark.parametrize("rest", [{}, {"temperature": 0}], ids=["drawn", "greedy"])
def test_settings_at_their_edges_give_text(key: str, value: float, rest: dict) -> None:
    assert len(continued(make(), 40, **{**rest, key: value})) == 40


@pytest.mark.parametrize(
    "edge",
    [{"temperature": TINY[0]}, {"temperature": 1e-39}, {"top_p": TINY[0]}, {"top_k": 1}, {"min_p": 1.0}],
)
def test_the_narrowest_draw_is_the_greedy_one(edge: dict) -> None:
    module = make()
    assert continued(module, **edge) == continued(module, temperature=0)


@pytest.mark.parametrize("count", [0, -1])
def test_no_tokens_at_all_are_refused(count: int) -> None:
    with pytest.raises(UserError, match=f"max_new_tokens is {count}; ask for one at least"):
        check(make(), [[1]], Decoding(), count, [0])


@pytest.mark.parametrize("seed", [-(2**63), -1, 2**63, 2**64 - 1])
def test_every_seed_of_torch_draws(seed: int) -> None:
    check(make(), [[1]], Decoding(), 1, [seed])
    assert len(continued(make(), 3, seed=seed)) == 3


@pytest.mark.parametrize("seed", [-(2**63) - 1, 2**64])
def test_a_seed_beyond_those_of_torch_is_refused(seed: int) -> None:
    with pytest.raises(UserError, match=f"seed is {seed}; it must lie between"):
        check(make(), [[1]], Decoding(), 5, [seed])


@pytest.mark.parametrize("prompt", [[], [VOCAB], [-1]])
def test_prompts_outside_the_vocabulary_are_refused(prompt: list[int]) -> None:
    with pytest.raises(UserError, match="prompt"):
        check(make(), [[1], prompt], Decoding(), 5, [0, 0])


def test_logits_that_are_no_numbers_are_refused() -> None:
    module = make()
    with torch.no_grad():
        module.norm.weight.fill_(float("nan"))
    with pytest.raises(UserError, match="the model's predictions are no numbers"):
        continued(module, 1)


def test_a_model_that_may_learn_is_never_packed() -> None:
    module = make()
    before = continued(module, 20, temperature=0)
    with torch.no_grad():
        module.head.weight.neg_()
    assert continued(module, 20, temperature=0) != before
    assert generate.packed(module) is module


@pytest.mark.parametrize("switches", [{}, {"n_kv_head": 2, "activation": "swiglu"}], ids=named)
def test_under_autocast_a_text_is_read_as_without_a_cache(switches: dict) -> None:
    module = make(**switches).requires_grad_(False)
    with torch.autocast("cpu", torch.bfloat16):
        reader = Reader(module, [[EOT, 1], [EOT, 2, 3]])
        reader.next_logits()
        reader.append([4, 5])
        found = reader.next_logits()
        expected = torch.stack([uncached(module, ids, 0) for ids in ([EOT, 1, 4], [EOT, 2, 3, 5])])
    torch.testing.assert_close(found, expected.float(), rtol=0.05, atol=0.05)


def test_what_is_packed_calls_no_hooks_and_has_its_parts_as_plain_attributes() -> None:
    module = make().requires_grad_(False)
    called = []
    for part in module.modules():
        part.register_forward_hook(lambda *_: called.append(1))
    generate.packed(module)(torch.tensor([[EOT]]))
    assert not called
    for part in generate.packed(module).modules():
        assert part._modules.keys() | part._parameters.keys() <= vars(part).keys()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("place", [0, VOCAB - 1])
def test_one_logit_that_is_no_number_is_refused(value: float, place: int) -> None:
    module = make(tie_embeddings=False)
    module.head.bias = torch.nn.Parameter(torch.zeros(VOCAB))
    with torch.no_grad():
        module.head.bias[place] = value
    with pytest.raises(UserError, match="the model's predictions are no numbers"):
        continued(module, 1, temperature=0)


@pytest.mark.skipif(not torch.ops.mkldnn._is_mkldnn_bf16_supported(), reason="needs products of bf16")
@pytest.mark.parametrize("switches", [*GPTS, *ENCODERS[:1]], ids=named)
def test_with_weights_in_bf16_it_is_as_near_to_exact_ones_as_the_plain_model_is(switches: dict) -> None:
    exact = make(**switches)
    rounded = copy.deepcopy(exact)
    round_weights(rounded, "bf16_weights", exact=(EMBEDDING, HEAD))
    text = documents(4)[:, : CONTEXT - 1]

    def error(module: torch.nn.Module) -> float:
        with torch.inference_mode():
            reader = Reader(module, text[:, :5].tolist())
            for ids in text[:, 5:].T.tolist():
                found = reader.next_logits()
                reader.append(ids)
            return float((found - exact(text)[:, -2]).square().mean().sqrt())

    learns = error(rounded)
    packed = error(rounded.requires_grad_(False))
    assert 0 < packed < 2 * learns


@pytest.mark.parametrize("has_gain", [True, False])
def test_a_short_norm_rounds_once(has_gain: bool) -> None:
    norm = torch.nn.RMSNorm(96, eps=1e-5, elementwise_affine=has_gain)
    if has_gain:
        torch.nn.init.normal_(norm.weight, 1, 0.3, generator=torch.Generator().manual_seed(0))
    x = torch.randn(8, 96, generator=torch.Generator().manual_seed(1)).bfloat16()
    exact = norm(x.float())
    # Half a unit in the last place at most, and a little.
    assert ((ShortRMSNorm(norm)(x).float() - exact).abs() <= 1.001 * 2**-8 * exact.abs()).all()


def test_a_model_is_packed_once_and_forgotten_with_it() -> None:
    import gc
    import weakref

    module = make().requires_grad_(False)
    twin = generate.packed(module)
    assert twin is not module
    assert generate.packed(module) is twin
    gone = weakref.ref(twin)
    del module, twin
    gc.collect()
    assert gone() is None
