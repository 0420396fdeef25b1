# Gather all cells into tables.


rule compare:
    input:
        needs("compare"),
    output:
        receipt("compare"),
    log:
        log_of("compare"),
    conda:
        "../envs/gptgrid.yaml"
    threads: 1
    params:
        program=program("compare"),
        job=job_of("compare"),
    message:
        "compare {params.job.name}"
    shell:
        "{params.program} {params.job.options} 2>&1 | tee -i {log:q}"
