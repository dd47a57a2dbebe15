"""learning-set: train networks that learn to learn, let them behave, and analyse them exactly as monkeys are analysed.

    tasks -> agents -> training -> frozen rollouts --+
                                                     +--> TRIAL TABLE --> behaviour, models --> comparison --> report
                primate datasets (sha256-checked) ---+

One .smk per stage in workflow/rules; the science is the package `pipeline`.
"""

from snakemake.utils import min_version

from pipeline import workflow as steps
from pipeline.codehash import code_hash
from pipeline.models import MODELS
from pipeline.plan import Plan, data_dir
from pipeline.primates import DATASETS
from pipeline.tasks import TASKS

min_version("9.0")


configfile: "config.yaml"


report: "workflow/report/workflow.rst"


container: "docker://python:3.11"


plan = Plan(config)


wildcard_constraints:
    study="[a-z_]+",
    source="[A-Za-z0-9_]+",
    model="[a-z_]+",


include: "workflow/rules/data.smk"
include: "workflow/rules/agents.smk"
include: "workflow/rules/trials.smk"
include: "workflow/rules/behaviour.smk"
include: "workflow/rules/models.smk"
include: "workflow/rules/checks.smk"
include: "workflow/rules/comparison.smk"
include: "workflow/rules/report.smk"


rule all:
    default_target: True
    input:
        f"{plan.reports}/index.html",
        f"{plan.reports}/claims.html",
        expand(f"{plan.reports}/{{study}}.html", study=plan.studies),


for _study in plan.studies:

    rule:
        name:
            f"study_{_study}"
        input:
            f"{plan.reports}/{_study}.html",
