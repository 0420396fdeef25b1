"""Let a trained cell continue every prompt under every decoding."""

from gptgrid.stage import Job, main


def build(job: Job) -> dict:
    # Imported here, so that what the store has costs no import.
    from gptgrid.sample.samples import sample

    return sample(job)


if __name__ == "__main__":
    main("sample", build, __doc__)
