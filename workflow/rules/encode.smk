# Turn a corpus into token shards.


rule encode:
    input:
        needs("encode"),
        request=request("encode"),
    output:
        made("encode"),
    log:
        "logs/shards/{shards}.log",
    priority: 1
    conda:
        "../envs/gptgrid.yaml"
    threads: 4
    params:
        program=program("encode"),
    shell:
        "{params.program} {input.request} --threads {threads} 2>&1 | tee -i {log}"


# One part of a corpus that is cut into several, each a job of its own; `encode` puts them together.
use rule encode as encode_shard with:
    input:
        needs("encode_shard"),
        request=request("encode_shard"),
    output:
        made("encode_shard"),
    log:
        "logs/shards/{shards}.shard-{number}.log",
