"""How varied samples are: among each other, and each in itself.

Each figure is None, with the reason, where it is not defined.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from sacrebleu.metrics import BLEU

from gptgrid.stages.sample.units import Units, runs, spaced

DISTINCT = (1, 2, 3)
REPEATED = 4
"""Units of the runs whose repetition within a sample counts, as in Welleck et al. 2020 (seq-rep-4)."""
MOST = 100
"""Samples that self-BLEU compares: each is held against all others."""
Figures = dict[str, float | None]
Reasons = dict[str, str]


def diversity(samples: Sequence[Units]) -> tuple[Figures, Reasons]:
    """Return `distinct_1`, `distinct_2`, `distinct_3` and `repetition`.

    `distinct_n` is the share of different ones among all runs of n units of all samples (Li et al. 2016).
    `repetition` is the share of a sample's runs of REPEATED units that stood in it before, the mean over the
    samples that have such runs (Welleck et al. 2020).
    """
    figures: Figures = {}
    reasons: Reasons = {}
    for length in DISTINCT:
        found = [run for units in samples for run in runs(units, length)]
        figures[f"distinct_{length}"] = len(set(found)) / len(found) if found else None
        if not found:
            reasons[f"distinct_{length}"] = f"no sample has {length} units"
    repeated = [1 - len(set(found)) / len(found) for units in samples if (found := runs(units, REPEATED))]
    figures["repetition"] = fmean(repeated) if repeated else None
    if not repeated:
        reasons["repetition"] = f"no sample has {REPEATED} units"
    return figures, reasons


def self_bleu(texts: Sequence[str], tokenizer: str) -> tuple[Figures, Reasons, str]:
    """Return the mean BLEU of each sample against all others (Zhu et al. 2018), 0 … 100, as `self_bleu`.

    High is monotonous. Only the first MOST samples with any text take part.

    Args:
        texts: the samples of one decoding.
        tokenizer: of sacrebleu.

    Returns:
        figures, reasons, and the signature of sacrebleu.
    """
    metric = BLEU(tokenize=tokenizer, effective_order=True)
    texts = [spaced(text) for text in texts if text.strip()][:MOST]
    if len(texts) < 2:
        return {"self_bleu": None}, {"self_bleu": "there are no two samples with text"}, ""
    scores = [
        metric.sentence_score(text, [*texts[:place], *texts[place + 1 :]]).score
        for place, text in enumerate(texts)
    ]
    return {"self_bleu": fmean(scores)}, {}, str(metric.get_signature())
