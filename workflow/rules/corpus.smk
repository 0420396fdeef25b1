# Read a text, cut it into documents and splits; or read the items of a task.


rule corpus:
    input:
        needs("corpus"),
    output:
        receipt("corpus"),
    log:
        log_of("corpus"),
    priority: 1
    conda:
        "../envs/gptgrid.yaml"
    threads: 1
    params:
        program=program("corpus"),
        job=job_of("corpus"),
    message:
        "corpus {params.job.name}"
    shell:
        "{params.program} {params.job.options} 2>&1 | tee -i {log:q}"
