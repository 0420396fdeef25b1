# Train one cell of the grid.


rule train:
    input:
        needs("train"),
        request=request("train"),
    output:
        made("train"),
    log:
        "logs/{experiment}/cells/{cell}/train.log",
    threads: threads_of("train")
    shell:
        "{PROGRAM}/train.py {input.request} 2>&1 | tee -i {log}"
