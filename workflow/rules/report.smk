# Make the report: one HTML file.


rule report:
    input:
        needs("report"),
    output:
        receipt("report"),
    log:
        log_of("report"),
    conda:
        "../envs/gptgrid.yaml"
    threads: 1
    params:
        program=program("report"),
        job=job_of("report"),
    message:
        "report {params.job.name}"
    shell:
        "{params.program} {params.job.options} 2>&1 | tee -i {log:q}"
