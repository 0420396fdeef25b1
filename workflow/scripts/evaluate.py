"""Score the test split with a trained cell: nats, perplexities and bits per byte."""

from gptgrid.evaluate.evaluation import evaluate
from gptgrid.stage import Job, main


def build(job: Job) -> dict:
    """Score every token of the test split once and write evaluation.json."""
    return evaluate(job)


if __name__ == "__main__":
    main("evaluate", build, __doc__)
