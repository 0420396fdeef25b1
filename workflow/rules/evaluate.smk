# Score the test split with a trained cell.


rule evaluate:
    input:
        needs("evaluate"),
        request=request("evaluate"),
    output:
        made("evaluate"),
    log:
        "logs/{experiment}/cells/{cell}/evaluate.log",
    priority: 1
    conda:
        "../envs/gptgrid.yaml"
    threads: 1
    resources:
        gpu=GPU_JOB,
    params:
        program=program("evaluate"),
    shell:
        "{params.program} {input.request} 2>&1 | tee -i {log}"
