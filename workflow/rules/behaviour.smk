# Behaviour without models: summaries, curves, history kernels, stay regressions. The same rule for every source.
rule behaviour:
    input:
        trials=f"{plan.results}/trials/{{study}}/{{source}}.parquet",
    output:
        summary=f"{plan.results}/behaviour/{{study}}/{{source}}.summary.csv",
        curves=f"{plan.results}/behaviour/{{study}}/{{source}}.curves.csv",
        regressions=f"{plan.results}/behaviour/{{study}}/{{source}}.regressions.csv",
    log:
        f"logs/{plan.scale}/behaviour/{{study}}.{{source}}.log",
    benchmark:
        f"benchmarks/{plan.scale}/behaviour/{{study}}.{{source}}.tsv"
    threads: 1
    resources:
        mem_mb=2000,
    params:
        code=code_hash("pipeline.behaviour.run"),
        lags=lambda w: plan.studies[w.study].kernel_lags,
        bootstrap=plan.numbers["bootstrap"],
        seed=plan.seed,
    script:
        "../scripts/behaviour.py"


# Learning rate against volatility, episode by episode; for the studies whose tasks have a volatility.
rule volatility:
    input:
        trials=f"{plan.results}/trials/{{study}}/{{source}}.parquet",
    output:
        volatility=f"{plan.results}/behaviour/{{study}}/{{source}}.volatility.csv",
        episodes=f"{plan.results}/behaviour/{{study}}/{{source}}.episodes.csv",
    log:
        f"logs/{plan.scale}/volatility/{{study}}.{{source}}.log",
    benchmark:
        f"benchmarks/{plan.scale}/volatility/{{study}}.{{source}}.tsv"
    threads: 1
    resources:
        mem_mb=2000,
    params:
        code=code_hash("pipeline.behaviour.volatility"),
    script:
        "../scripts/volatility.py"


# Hierarchical (mixed) logistic regressions, in Bayesian form; every regression that the study asks of a source.
rule mixed:
    input:
        trials=f"{plan.results}/trials/{{study}}/{{source}}.parquet",
    output:
        table=f"{plan.results}/mixed/{{study}}/{{source}}.csv",
        badge=f"{plan.results}/mixed/{{study}}/{{source}}.json",
    log:
        f"logs/{plan.scale}/mixed/{{study}}.{{source}}.log",
    benchmark:
        f"benchmarks/{plan.scale}/mixed/{{study}}.{{source}}.tsv"
    threads: 1
    resources:
        mem_mb=3000,
    params:
        code=code_hash("pipeline.behaviour.mixed"),
        regressions=lambda w: steps.regressions(plan, w.study, w.source),
        lags=lambda w: plan.studies[w.study].kernel_lags,
        episodes=lambda w: steps.episodes_read(plan, w.study, w.source),
        sampler={k: plan.numbers[k] for k in ("chains", "tune", "draws")},
        seed=plan.seed,
    script:
        "../scripts/mixed.py"
