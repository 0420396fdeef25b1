# Score the test split with a trained cell.


rule evaluate:
    input:
        needs("evaluate"),
    output:
        receipt("evaluate"),
    log:
        log_of("evaluate"),
    priority: 1
    conda:
        "../envs/gptgrid.yaml"
    threads: 1
    resources:
        gpu=GPU_JOB,
    params:
        program=program("evaluate"),
        job=job_of("evaluate"),
    message:
        "evaluate {params.job.name}"
    shell:
        "{params.program} {params.job.options} 2>&1 | tee -i {log:q}"
