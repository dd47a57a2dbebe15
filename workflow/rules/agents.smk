# Recurrent agents: one population (seeds x hyperparameter settings) per task and core, one job, one thread.


rule train:
    output:
        population=f"{plan.results}/training/{{source}}/population.safetensors",
        agents=f"{plan.results}/training/{{source}}/agents.csv",
        curve=f"{plan.results}/training/{{source}}/curve.csv",
    log:
        f"logs/{plan.scale}/train/{{source}}.log",
    benchmark:
        f"benchmarks/{plan.scale}/train/{{source}}.tsv"
    wildcard_constraints:
        source="|".join(plan.names("network")) or "none",
    # long jobs first, so that no core idles at the end
    priority: 10
    threads: 1
    resources:
        mem_mb=2000,
    params:
        code=lambda w: steps.training_code(plan.any_source(w.source)),
        source=lambda w: vars(plan.any_source(w.source)),
        training=lambda w: plan.training(w.source),
        seed=plan.seed,
        device=config["device"],
        checkpoints=f"{plan.results}/checkpoints",
    script:
        "../scripts/train.py"
