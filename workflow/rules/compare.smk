# Gather all cells into tables.


rule compare:
    input:
        needs("compare"),
        request=request("compare"),
    output:
        made("compare"),
    log:
        "logs/{experiment}/compare.log",
    conda:
        "../envs/gptgrid.yaml"
    threads: 1
    params:
        program=program("compare"),
    shell:
        "{params.program} {input.request} 2>&1 | tee -i {log}"
