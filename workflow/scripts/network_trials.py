"""Rank and test a trained population with frozen weights; keep the best agents' behaviour as a trial table."""

from pipeline.jobs import job

with job(snakemake.log[0]):
    import json
    from pathlib import Path

    import pandas as pd

    from pipeline import exports, rollout, trials
    from pipeline.agents.population import Population
    from pipeline.files import write_csv
    from pipeline.provenance import provenance
    from pipeline.tasks import TASKS
    from pipeline.training.evaluate import evaluate, transfer

    source, numbers = snakemake.params.source, snakemake.params.numbers
    seed, named = snakemake.params.seed, {"source": source["name"], "name": source["agent"]}
    tasks = [TASKS[task] for task in snakemake.params.tasks]  # the training task first
    bounds = {task.name: json.loads(Path(file).read_text()) for task, file in zip(tasks, snakemake.input.optimum)}
    population = Population.load(snakemake.input.population)
    evaluation, behaviour = evaluate(
        population,
        tasks[0],
        numbers["ranking_episodes"],
        numbers["test_episodes"],
        snakemake.params.best,
        seed,
        **named,
        **bounds[tasks[0].name],
    )
    elsewhere = transfer(
        population, tasks[1:], behaviour.subjects, numbers["test_episodes"], seed, **named, bounds=bounds
    )
    parts = [part for part in (evaluation, elsewhere) if len(part)]
    table = rollout.table(behaviour, source["name"], episodes=numbers["table_episodes"])
    trials.write(table, snakemake.output.parquet, snakemake.output.csv)
    exports.data_package(snakemake.output.parquet, table, provenance(snakemake.config, seed, snakemake.params.code))
    write_csv(
        pd.concat([evaluation, *([elsewhere] if len(elsewhere) else [])], ignore_index=True),
        snakemake.output.evaluation,
    )
