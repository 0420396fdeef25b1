"""Train one model on token shards: weights, learning curve, samples and the state to continue from."""

from gptgrid.model.allocator import restart_with_tcmalloc
from gptgrid.stage import Job, main
from gptgrid.warm import hand_over


def build(job: Job) -> dict:
    # Imported here, so that what the store has costs no import.
    from gptgrid.train.deliverables import deliver
    from gptgrid.train.launch import launch
    from gptgrid.train.trainer import Trainer

    if job.run.processes > 1:
        return launch(job)
    with job.timing("load"):
        trainer = Trainer(job)
    with job.timing("train"):
        trainer.run()
    with job.timing("write"):
        return deliver(trainer)


if __name__ == "__main__":
    hand_over()
    restart_with_tcmalloc()
    main("train", build, __doc__)
