"""How near texts come to those that are asked for: chrF, by sacrebleu."""

from __future__ import annotations

from collections.abc import Sequence

from sacrebleu.metrics import CHRF


def chrf(texts: Sequence[str], truths: Sequence[str]) -> tuple[float, str]:
    """Return chrF, 0 … 100, over all texts at once, and the signature that says how it was measured.

    It counts runs of characters and looks at no blanks (Popović 2015).

    Args:
        texts: at least one.
        truths: of each the one that it is compared with.
    """
    metric = CHRF()
    found = metric.corpus_score(list(texts), [list(truths)]).score
    return found, str(metric.get_signature())
