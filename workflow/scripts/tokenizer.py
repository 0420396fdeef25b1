"""Make a tokenizer: learn it from a corpus, or fetch a published vocabulary."""

from gptgrid.stage import Job, main


def build(job: Job) -> dict:
    # Imported here, so that what the store has costs no import.
    from gptgrid.tokenizer.make import make_tokenizer

    return make_tokenizer(job)


if __name__ == "__main__":
    main("tokenizer", build, __doc__)
