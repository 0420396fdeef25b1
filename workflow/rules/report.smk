# Make the report: one HTML file.


rule report:
    input:
        needs("report"),
        request=request("report"),
    output:
        made("report"),
    log:
        "logs/{experiment}/report.log",
    conda:
        "../envs/gptgrid.yaml"
    threads: 1
    params:
        program=program("report"),
    shell:
        "{params.program} {input.request} 2>&1 | tee -i {log}"
