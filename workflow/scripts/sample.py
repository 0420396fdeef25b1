"""Let a trained cell continue every prompt under every decoding."""

from gptgrid.model.allocator import restart_with_tcmalloc
from gptgrid.stage import Job, main
from gptgrid.warm import hand_over


def build(job: Job) -> dict:
    # Imported here, so that what the store has costs no import.
    from gptgrid.sample.samples import sample

    return sample(job)


if __name__ == "__main__":
    hand_over()
    restart_with_tcmalloc()
    main("sample", build, __doc__)
