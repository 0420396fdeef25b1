# Train again and compare the bits: the first cell of each model. `gptgrid verify` does it for any other cell.
# Nothing is made but the log, so it runs whenever it is asked for.

VERIFIED = {
    cell.model.label: plan.artifact(f"{plan.results}/cells/{cell.name}/train")
    for cell in reversed(plan.cells)
}.values()


rule verify:
    input:
        # What the cells were made from is read, too, even where the cells themselves are kept.
        [cell.deliverables for cell in VERIFIED],
        [plan.artifact(folder).deliverables for cell in VERIFIED for folder in cell.inputs.values()],
    log:
        f"logs/{plan.results.removeprefix('results/')}/verify.log",
    conda:
        "../envs/gptgrid.yaml"
    threads: max(cell.threads for cell in VERIFIED)
    resources:
        gpu=GPU_JOB,
    params:
        program=program("verify"),
        requests=[str(cell.request) for cell in VERIFIED],
    shell:
        "{params.program} {params.requests:q} 2>&1 | tee -i {log}"
