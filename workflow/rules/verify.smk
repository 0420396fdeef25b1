# Make again and compare the bits: the data, and the first cell of each model. `gptgrid verify` does it for any other.
# Nothing is made but the log, so it runs whenever it is asked for.


rule verify:
    input:
        # What they were made from is read, too.
        lambda wildcards: all_receipts(),
    log:
        "logs/verify.log",
    conda:
        "../envs/gptgrid.yaml"
    threads: 1
    resources:
        gpu=GPU_JOB,
    params:
        program=program("verify"),
        options=lambda wildcards, output: requests().options_to_verify(),
    shell:
        "{params.program} {params.options} 2>&1 | tee -i {log:q}"
