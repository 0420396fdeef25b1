"""How near continuations come to those that the documents have: BLEU and chrF, by sacrebleu."""

from __future__ import annotations

from collections.abc import Sequence

from sacrebleu.metrics import BLEU, CHRF

from gptgrid.stages.sample.units import CHARACTERS, Unit
from gptgrid.text.writing_systems import count_scripts


def tokenizer_for(unit: Unit, text: str) -> str:
    """Return the tokenizer of sacrebleu for a text: `zh` for Chinese, `char` for other texts without blanks.

    Args:
        unit: of the text.
        text: some of it.
    """
    if unit != CHARACTERS:
        return "13a"
    return "zh" if next(iter(count_scripts(text)), "Han") == "Han" else "char"


def agreement(
    texts: Sequence[str], truths: Sequence[str], tokenizer: str
) -> tuple[dict[str, float], dict[str, str]]:
    """Return `bleu` and `chrf` of continuations against the true ones, 0 … 100, and the signatures of both.

    Over all samples at once, as sacrebleu does for a corpus.

    Args:
        texts: the continuations.
        truths: of each the one that its document has.
        tokenizer: of sacrebleu, for BLEU.
    """
    metrics = {"bleu": BLEU(tokenize=tokenizer), "chrf": CHRF()}
    figures = {name: metric.corpus_score(texts, [truths]).score for name, metric in metrics.items()}
    return figures, {name: str(metric.get_signature()) for name, metric in metrics.items()}
