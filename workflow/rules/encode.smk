# Turn a corpus into token shards.


rule encode:
    input:
        needs("encode"),
        request=request("encode"),
    output:
        made("encode"),
    log:
        "logs/shards/{shards}.log",
    conda:
        "../envs/gptgrid.yaml"
    threads: 4
    params:
        program=program("encode"),
    shell:
        "{params.program} {input.request} --threads {threads} 2>&1 | tee -i {log}"
