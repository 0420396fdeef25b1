# Train a tokenizer on a corpus, or fetch a published vocabulary.


rule tokenizer:
    input:
        needs("tokenizer"),
        request=request("tokenizer"),
    output:
        made("tokenizer"),
    log:
        "logs/tokenizers/{tokenizer}.log",
    priority: 1
    conda:
        "../envs/gptgrid.yaml"
    threads: 1
    params:
        program=program("tokenizer"),
    shell:
        "{params.program} {input.request} 2>&1 | tee -i {log}"
