# Train one cell of the grid.
# What makes its inputs, and what looks at the trained cell, has a priority: it is short. Of trainings the scheduler
# begins with the largest inputs, so that no long one is left alone at the end.


rule train:
    input:
        needs("train"),
        tokens("train"),
        request=request("train"),
    output:
        made("train"),
    log:
        "logs/{experiment}/cells/{cell}/train.log",
    conda:
        "../envs/gptgrid.yaml"
    threads: threads_of("train")
    resources:
        gpu=GPU_JOB * plan.run["processes"],
    params:
        program=program("train"),
    shell:
        "{params.program} {input.request} 2>&1 | tee -i {log}"
