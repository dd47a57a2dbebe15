# Are the models' fits to be trusted? Recovery, calibration, confusion and planted effects on simulated data.


rule calibrate:
    output:
        recovery=f"{plan.results}/checks/{{study}}.{{model}}.recovery.csv",
        ranks=f"{plan.results}/checks/{{study}}.{{model}}.ranks.csv",
    log:
        f"logs/{plan.scale}/calibrate/{{study}}.{{model}}.log",
    benchmark:
        f"benchmarks/{plan.scale}/calibrate/{{study}}.{{model}}.tsv"
    wildcard_constraints:
        model="|".join(MODELS),
    threads: 1
    resources:
        mem_mb=3000,
    params:
        code=lambda w: steps.check_code(w.model),
        numbers=plan.checks,
        seed=plan.seed,
    script:
        "../scripts/calibrate.py"


rule confuse:
    output:
        f"{plan.results}/checks/{{study}}.confusion.csv",
    log:
        f"logs/{plan.scale}/confuse/{{study}}.log",
    benchmark:
        f"benchmarks/{plan.scale}/confuse/{{study}}.tsv"
    wildcard_constraints:
        study="|".join(plan.studies),
    threads: 1
    resources:
        mem_mb=3000,
    params:
        code=lambda w: [steps.check_code(m) for m in plan.studies[w.study].models],
        models=lambda w: plan.studies[w.study].models,
        numbers=plan.checks,
        seed=plan.seed,
    script:
        "../scripts/confuse.py"


rule plant:
    output:
        f"{plan.results}/checks/{{study}}.planted.csv",
    log:
        f"logs/{plan.scale}/plant/{{study}}.log",
    benchmark:
        f"benchmarks/{plan.scale}/plant/{{study}}.tsv"
    wildcard_constraints:
        study="|".join(plan.studies),
    threads: 1
    resources:
        mem_mb=3000,
    params:
        code=lambda w: steps.check_code(plan.studies[w.study].planted),
        model=lambda w: plan.studies[w.study].planted,
        numbers=plan.checks,
        seed=plan.seed,
    script:
        "../scripts/plant.py"
