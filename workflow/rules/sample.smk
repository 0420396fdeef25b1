# Let a trained cell continue the prompts.


rule sample:
    input:
        needs("sample"),
        request=request("sample"),
    output:
        made("sample"),
    log:
        "logs/{experiment}/cells/{cell}/sample.log",
    threads: 1
    shell:
        "{PROGRAM}/sample.py {input.request} 2>&1 | tee -i {log}"
