# Networks, learners and primates against each other, and published claims against ours.


rule compare:
    input:
        idata=lambda w: steps.fits(plan, plan.studies[w.study], "nc"),
        badges=lambda w: steps.fits(plan, plan.studies[w.study], "json"),
        loo=lambda w: steps.fits(plan, plan.studies[w.study], "loo.csv"),
        summaries=lambda w: steps.behaviours(plan, plan.studies[w.study], "summary.csv"),
    output:
        groups=f"{plan.results}/comparison/{{study}}.groups.csv",
        stacking=f"{plan.results}/comparison/{{study}}.stacking.csv",
        typicality=f"{plan.results}/comparison/{{study}}.typicality.csv",
    log:
        f"logs/{plan.scale}/compare/{{study}}.log",
    benchmark:
        f"benchmarks/{plan.scale}/compare/{{study}}.tsv"
    threads: 1
    resources:
        mem_mb=3000,
    params:
        code=code_hash(
            "pipeline.comparison.groups",
            "pipeline.comparison.stacking",
            "pipeline.comparison.typicality",
        ),
        study=lambda w: [vars(source) for source in plan.studies[w.study].fitted],
        models=lambda w: plan.studies[w.study].models,
        practical_equivalence=config["comparison"]["practical_equivalence"],
        seed=plan.seed,
    script:
        "../scripts/compare.py"


rule claims:
    input:
        published="resources/published_claims.csv",
        evaluations=lambda w: steps.evaluations(plan, plan.studies[w.study]),
        summaries=lambda w: steps.behaviours(plan, plan.studies[w.study], "summary.csv"),
        regressions=lambda w: steps.behaviours(
            plan, plan.studies[w.study], "regressions.csv"
        ),
        volatility=lambda w: steps.volatilities(plan, plan.studies[w.study]),
        ideals=lambda w: steps.ideals(plan, plan.studies[w.study]),
        posteriors=lambda w: steps.fits(plan, plan.studies[w.study], "posterior.csv"),
    output:
        f"{plan.results}/claims/{{study}}.csv",
    log:
        f"logs/{plan.scale}/claims/{{study}}.log",
    benchmark:
        f"benchmarks/{plan.scale}/claims/{{study}}.tsv"
    wildcard_constraints:
        study="|".join(plan.studies),
    threads: 1
    resources:
        mem_mb=1000,
    params:
        code=code_hash("pipeline.comparison.claims"),
    script:
        "../scripts/claims.py"


rule gather_claims:
    input:
        published="resources/published_claims.csv",
        judged=expand(f"{plan.results}/claims/{{study}}.csv", study=plan.studies),
    output:
        f"{plan.results}/claims.csv",
    log:
        f"logs/{plan.scale}/gather_claims.log",
    benchmark:
        f"benchmarks/{plan.scale}/gather_claims.tsv"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        code=code_hash("pipeline.comparison.claims"),
        studies=list(plan.studies),
    script:
        "../scripts/gather_claims.py"
