# Score the test split with a trained cell.


rule evaluate:
    input:
        needs("evaluate"),
        request=request("evaluate"),
    output:
        made("evaluate"),
    log:
        "logs/{experiment}/cells/{cell}/evaluate.log",
    threads: 1
    shell:
        "{PROGRAM}/evaluate.py {input.request} 2>&1 | tee -i {log}"
