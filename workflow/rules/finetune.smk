# Teach a trained cell to answer, from dialogues.


rule finetune:
    input:
        needs("finetune"),
    output:
        receipt("finetune"),
    log:
        log_of("finetune"),
    conda:
        "../envs/gptgrid.yaml"
    threads: threads_of("finetune")
    resources:
        gpu=GPU_JOB * RUN["processes"],
    params:
        program=program("finetune"),
        job=job_of("finetune"),
    message:
        "finetune {params.job.name}"
    shell:
        "{params.program} {params.job.options} 2>&1 | tee -i {log:q}"
