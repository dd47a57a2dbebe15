# Pages that people open: one per study, the claims, the index.


rule study_page:
    input:
        lambda w: steps.study_results(plan, plan.studies[w.study]),
        facts=lambda w: steps.facts([plan.studies[w.study]]),
    output:
        report(
            f"{plan.reports}/{{study}}.html",
            caption="../report/study.rst",
            category="Studies",
            labels={"study": "{study}"},
        ),
    log:
        f"logs/{plan.scale}/study_page/{{study}}.log",
    benchmark:
        f"benchmarks/{plan.scale}/study_page/{{study}}.tsv"
    wildcard_constraints:
        study="|".join(plan.studies),
    threads: 1
    resources:
        mem_mb=2000,
    params:
        code=lambda w: steps.page_code([plan.studies[w.study]]),
    script:
        "../scripts/study_page.py"


rule overview:
    input:
        [
            file
            for study in plan.studies.values()
            for file in steps.study_results(plan, study)
        ],
        claims=f"{plan.results}/claims.csv",
    output:
        index=report(
            f"{plan.reports}/index.html",
            caption="../report/index.rst",
            category="Overview",
            labels={"page": "overview"},
        ),
        claims=report(
            f"{plan.reports}/claims.html",
            caption="../report/claims.rst",
            category="Overview",
            labels={"page": "published claims"},
        ),
    log:
        f"logs/{plan.scale}/overview.log",
    benchmark:
        f"benchmarks/{plan.scale}/overview.tsv"
    threads: 1
    resources:
        mem_mb=2000,
    params:
        code=steps.page_code(plan.studies.values()),
    script:
        "../scripts/overview.py"
