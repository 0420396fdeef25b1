"""Let a trained cell continue every prompt under every decoding."""

from gptgrid.sample.samples import sample
from gptgrid.stage import Job, main


def build(job: Job) -> dict:
    """Continue the prompts and write samples.jsonl."""
    return sample(job)


if __name__ == "__main__":
    main("sample", build, __doc__)
