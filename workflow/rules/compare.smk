# Gather all cells into tables.


rule compare:
    input:
        needs("compare"),
        request=request("compare"),
    output:
        made("compare"),
    log:
        "logs/{experiment}/compare.log",
    threads: 1
    shell:
        "{PROGRAM}/compare.py {input.request} 2>&1 | tee -i {log}"
