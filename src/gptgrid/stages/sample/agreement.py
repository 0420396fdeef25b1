"""How near continuations come to those that the documents have: BLEU and chrF, by sacrebleu."""

from __future__ import annotations

from collections.abc import Sequence

from sacrebleu.metrics import BLEU

from gptgrid.stages.sample.units import CHARACTERS, MIXED, Unit, spaced
from gptgrid.text.agreement import chrf


def tokenizer_for(unit: Unit) -> str:
    """Return the tokenizer of sacrebleu for texts.

    `zh` takes Chinese letters one by one and other text as `13a` does, by words and marks. It is given blanks
    around the letters of other scripts without blanks, too; around Chinese ones they change nothing.
    """
    return {MIXED: "zh", CHARACTERS: "char"}.get(unit, "13a")


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
    metric = BLEU(tokenize=tokenizer)
    bleu = metric.corpus_score([spaced(text) for text in texts], [[spaced(text) for text in truths]]).score
    near, signature = chrf(texts, truths)
    return {"bleu": bleu, "chrf": near}, {"bleu": str(metric.get_signature()), "chrf": signature}
