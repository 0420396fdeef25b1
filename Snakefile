# Bare `snakemake` in this folder reads this file; the workflow itself is workflow/Snakefile.


include: "workflow/Snakefile"


# An included file cannot say which of its rules comes first.
rule default:
    default_target: True
    input:
        rules.all.input,
