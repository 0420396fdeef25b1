# Train a tokenizer on a corpus, or fetch a published vocabulary.


rule tokenizer:
    input:
        needs("tokenizer"),
    output:
        receipt("tokenizer"),
    log:
        log_of("tokenizer"),
    priority: 1
    conda:
        "../envs/gptgrid.yaml"
    threads: 1
    params:
        program=program("tokenizer"),
        job=job_of("tokenizer"),
    message:
        "tokenizer {params.job.name}"
    shell:
        "{params.program} {params.job.options} 2>&1 | tee -i {log:q}"
