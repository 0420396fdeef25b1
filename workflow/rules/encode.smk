# Turn a corpus into token shards.


rule encode:
    input:
        needs("encode"),
        request=request("encode"),
    output:
        made("encode"),
    log:
        "logs/shards/{shards}.log",
    threads: 1
    shell:
        "{PROGRAM}/encode.py {input.request} 2>&1 | tee -i {log}"
