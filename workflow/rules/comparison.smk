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
        study=lambda w: [vars(source) for source in plan.studies[w.study].sources],
        models=lambda w: plan.studies[w.study].models,
        practical_equivalence=config["comparison"]["practical_equivalence"],
        seed=plan.seed,
    script:
        "../scripts/compare.py"


rule claims:
    input:
        published="resources/published_claims.csv",
        evaluations=[
            file
            for study in plan.studies.values()
            for file in steps.evaluations(plan, study)
        ],
        summaries=[
            file
            for study in plan.studies.values()
            for file in steps.behaviours(plan, study, "summary.csv")
        ],
    output:
        f"{plan.results}/claims.csv",
    log:
        f"logs/{plan.scale}/claims.log",
    benchmark:
        f"benchmarks/{plan.scale}/claims.tsv"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        code=code_hash("pipeline.comparison.claims"),
    script:
        "../scripts/claims.py"
