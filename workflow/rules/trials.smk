# Frozen rollouts: networks and learners behave on the same test episodes -> trial table, and regret of every agent.


rule optimum:
    output:
        f"{plan.results}/optimum/{{task}}.json",
    log:
        f"logs/{plan.scale}/optimum/{{task}}.log",
    benchmark:
        f"benchmarks/{plan.scale}/optimum/{{task}}.tsv"
    wildcard_constraints:
        task="|".join(TASKS),
    threads: 1
    resources:
        mem_mb=2000,
    params:
        code=lambda w: steps.optimum_code(w.task),
    script:
        "../scripts/optimum.py"


# Ideal agent of every training prior on every test prior: what the train-by-test matrix is held against.
rule ideals:
    output:
        f"{plan.results}/optimum/{{study}}.ideals.csv",
    log:
        f"logs/{plan.scale}/ideals/{{study}}.log",
    benchmark:
        f"benchmarks/{plan.scale}/ideals/{{study}}.tsv"
    wildcard_constraints:
        study="|".join(plan.studies),
    threads: 1
    resources:
        mem_mb=2000,
    params:
        code=lambda w: steps.ideals_code(plan.studies[w.study].tasks),
        tasks=lambda w: plan.studies[w.study].tasks,
    script:
        "../scripts/ideals.py"


rule network_trials:
    input:
        population=f"{plan.results}/training/{{source}}/population.safetensors",
        optimum=lambda w: expand(
            f"{plan.results}/optimum/{{task}}.json",
            task=steps.played_by(plan, w.study, w.source),
        ),
    output:
        parquet=f"{plan.results}/trials/{{study}}/{{source}}.parquet",
        csv=f"{plan.results}/trials/{{study}}/{{source}}.csv",
        package=f"{plan.results}/trials/{{study}}/{{source}}.json",
        evaluation=f"{plan.results}/evaluation/{{study}}/{{source}}.csv",
    log:
        f"logs/{plan.scale}/network_trials/{{study}}.{{source}}.log",
    benchmark:
        f"benchmarks/{plan.scale}/network_trials/{{study}}.{{source}}.tsv"
    wildcard_constraints:
        source="|".join(plan.names("network")) or "none",
    threads: 1
    resources:
        mem_mb=3000,
    params:
        code=lambda w: steps.rollout_code(
            plan.source(w.study, w.source).agent,
            steps.played_by(plan, w.study, w.source),
        ),
        source=lambda w: vars(plan.source(w.study, w.source)),
        tasks=lambda w: steps.played_by(plan, w.study, w.source),
        numbers=lambda w: plan.episodes(w.study),
        best=lambda w: plan.studies[w.study].best,
        seed=plan.seed,
        device=config["device"],
    script:
        "../scripts/network_trials.py"


rule learner_trials:
    input:
        optimum=lambda w: expand(
            f"{plan.results}/optimum/{{task}}.json", task=plan.studies[w.study].tasks
        ),
    output:
        parquet=f"{plan.results}/trials/{{study}}/{{source}}.parquet",
        csv=f"{plan.results}/trials/{{study}}/{{source}}.csv",
        package=f"{plan.results}/trials/{{study}}/{{source}}.json",
        evaluation=f"{plan.results}/evaluation/{{study}}/{{source}}.csv",
    log:
        f"logs/{plan.scale}/learner_trials/{{study}}.{{source}}.log",
    benchmark:
        f"benchmarks/{plan.scale}/learner_trials/{{study}}.{{source}}.tsv"
    wildcard_constraints:
        source="|".join(plan.names("learner")) or "none",
    threads: 1
    resources:
        mem_mb=3000,
    params:
        code=lambda w: steps.rollout_code(w.source, plan.studies[w.study].tasks),
        tasks=lambda w: plan.studies[w.study].tasks,
        numbers=lambda w: plan.episodes(w.study),
        seed=plan.seed,
    script:
        "../scripts/learner_trials.py"
