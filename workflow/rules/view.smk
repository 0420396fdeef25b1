# What people see under data/ and results/ may be named on the command line, file by file.
# The program of a stage shows what it made; a run shows when it begins what the store has. So nothing is left to do.


rule view:
    input:
        receipt_of_view,
    output:
        update("{view}"),
    log:
        ".snakemake/gptgrid/logs/view/{view}.log",
    localrule: True
    conda:
        "../envs/gptgrid.yaml"
    threads: 1
    message:
        "view {wildcards.view}"
    shell:
        "test -e {output:q} 2> {log:q}"
