# Let a trained cell continue the prompts.


rule sample:
    input:
        needs("sample"),
    output:
        receipt("sample"),
    log:
        log_of("sample"),
    priority: 1
    conda:
        "../envs/gptgrid.yaml"
    threads: 1
    resources:
        gpu=GPU_JOB,
    params:
        program=program("sample"),
        job=job_of("sample"),
    message:
        "sample {params.job.name}"
    shell:
        "{params.program} {params.job.options} 2>&1 | tee -i {log:q}"
