# Read a text, cut it into documents and splits.


rule corpus:
    input:
        needs("corpus"),
        request=request("corpus"),
    output:
        made("corpus"),
    log:
        "logs/corpora/{corpus}.log",
    threads: 1
    shell:
        "{PROGRAM}/corpus.py {input.request} 2>&1 | tee -i {log}"
