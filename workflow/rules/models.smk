# Hierarchical Bayesian models, one fit per source and model.


rule fit:
    input:
        trials=f"{plan.results}/trials/{{study}}/{{source}}.parquet",
    output:
        idata=f"{plan.results}/models/{{study}}/{{source}}.{{model}}.nc",
        posterior=f"{plan.results}/models/{{study}}/{{source}}.{{model}}.posterior.csv",
        badge=f"{plan.results}/models/{{study}}/{{source}}.{{model}}.json",
        loo=f"{plan.results}/models/{{study}}/{{source}}.{{model}}.loo.csv",
        predictive=f"{plan.results}/models/{{study}}/{{source}}.{{model}}.predictive.csv",
    log:
        f"logs/{plan.scale}/fit/{{study}}.{{source}}.{{model}}.log",
    benchmark:
        f"benchmarks/{plan.scale}/fit/{{study}}.{{source}}.{{model}}.tsv"
    wildcard_constraints:
        model="|".join(MODELS),
    threads: 1
    resources:
        mem_mb=3000,
    params:
        code=lambda w: steps.fit_code(w.model),
        sampler={k: plan.numbers[k] for k in ("chains", "tune", "draws")},
        episodes=lambda w: steps.episodes_read(plan, w.study, w.source),
        seed=plan.seed,
    script:
        "../scripts/fit.py"
