# Train a tokenizer on a corpus, or fetch a published vocabulary.


rule tokenizer:
    input:
        needs("tokenizer"),
        request=request("tokenizer"),
    output:
        made("tokenizer"),
    log:
        "logs/tokenizers/{tokenizer}.log",
    threads: 1
    shell:
        "{PROGRAM}/tokenizer.py {input.request} 2>&1 | tee -i {log}"
