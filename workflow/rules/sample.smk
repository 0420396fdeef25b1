# Let a trained cell continue the prompts.


rule sample:
    input:
        needs("sample"),
        request=request("sample"),
    output:
        made("sample"),
    log:
        "logs/{experiment}/cells/{cell}/sample.log",
    priority: 1
    conda:
        "../envs/gptgrid.yaml"
    threads: 1
    resources:
        gpu=GPU_JOB,
    params:
        program=program("sample"),
    shell:
        "{params.program} {input.request} 2>&1 | tee -i {log}"
