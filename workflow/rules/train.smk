# Train one cell of the grid.


rule train:
    input:
        needs("train"),
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
