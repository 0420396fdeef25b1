# From raw text to a comparison of small language models: README.md says how to use it.
# Here stands what to make; workflow/rules says what each stage depends on, src/gptgrid/plan.py what is stale.

import sys

from snakemake.utils import min_version

min_version("9.27")
sys.path.insert(0, f"{workflow.basedir}/src")


include: "workflow/rules/common.smk"


rule all:
    input:
        plan.deliverables(),


onstart:
    prepare_to_compute()


include: "workflow/rules/corpus.smk"
include: "workflow/rules/tokenizer.smk"
include: "workflow/rules/encode.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/sample.smk"
include: "workflow/rules/compare.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/verify.smk"
