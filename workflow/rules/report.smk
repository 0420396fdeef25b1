# Make the report: one HTML file.


rule report:
    input:
        needs("report"),
        request=request("report"),
    output:
        made("report"),
    log:
        "logs/{experiment}/report.log",
    threads: 1
    shell:
        "{PROGRAM}/report.py {input.request} 2>&1 | tee -i {log}"
