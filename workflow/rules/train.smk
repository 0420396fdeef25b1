# Train one cell of the grid.
# What makes its inputs, and what looks at the trained cell, has a priority: it is short.


rule train:
    input:
        needs("train"),
    output:
        receipt("train"),
    log:
        log_of("train"),
    conda:
        "../envs/gptgrid.yaml"
    threads: threads_of("train")
    resources:
        gpu=GPU_JOB * RUN["processes"],
    params:
        program=program("train"),
        job=job_of("train"),
    message:
        "train {params.job.name}"
    shell:
        "{params.program} {params.job.options} 2>&1 | tee -i {log:q}"
