# Score the validation and the test split with a trained cell; or without a network, on the CPU.


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
    threads: threads_of("evaluate")
    resources:
        gpu=gpu_to_evaluate,
    params:
        program=program("evaluate"),
        job=job_of("evaluate"),
    message:
        "evaluate {params.job.name}"
    shell:
        "{params.program} --threads {threads} {params.job.options} 2>&1 | tee -i {log:q}"
