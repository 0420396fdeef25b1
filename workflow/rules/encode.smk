# Turn a corpus into token shards.
# A corpus that is cut into several has a job for each part, and one that puts them together.


rule encode:
    input:
        needs("encode"),
    output:
        receipt("encode"),
    log:
        log_of("encode"),
    priority: 1
    conda:
        "../envs/gptgrid.yaml"
    threads: threads_of("encode")
    params:
        program=program("encode"),
        job=job_of("encode"),
    message:
        "encode {params.job.name}"
    shell:
        "{params.program} --threads {threads} {params.job.options} 2>&1 | tee -i {log:q}"
