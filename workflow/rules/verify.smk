# Make again and compare the bits: the data, and the first cell of each model. `gptgrid verify` does it for any other cell.
# Nothing is made but the log, so it runs whenever it is asked for.


def verified():
    """What is made again."""
    first = {cell.model.label: f"{plan.results}/cells/{cell.name}/" for cell in reversed(plan.cells)}
    return [
        artifact
        for folder, artifact in plan.artifacts.items()
        if folder.startswith("data/") or folder.startswith(tuple(first.values()))
    ]


def verified_options(wildcards, resources):
    """What the program is told: names and requests."""
    pairs = [
        (artifact.name, str(plan.store.request_path(artifact.stage, plan.keys[artifact])))
        for artifact in verified()
    ]
    return shlex.join([*(text for pair in pairs for text in pair), "--run", json.dumps(plan.run)])


rule verify:
    input:
        # What they were made from is read, too.
        lambda wildcards: all_receipts(),
    log:
        f"logs/{plan.configuration.experiment.experiment if plan else 'experiment'}/verify.log",
    conda:
        "../envs/gptgrid.yaml"
    threads: 1
    resources:
        gpu=GPU_JOB,
    params:
        program=program("verify"),
        options=verified_options,
    shell:
        "{params.program} {params.options} 2>&1 | tee -i {log:q}"
