# Read a text, cut it into documents and splits.


rule corpus:
    input:
        needs("corpus"),
        request=request("corpus"),
    output:
        made("corpus"),
    log:
        "logs/corpora/{corpus}.log",
    priority: 1
    conda:
        "../envs/gptgrid.yaml"
    threads: 1
    params:
        program=program("corpus"),
    shell:
        "{params.program} {input.request} 2>&1 | tee -i {log}"
