"""Rank and test a trained population with frozen weights; keep the best agents' behaviour as a trial table."""

from pipeline.jobs import job

with job(snakemake.log[0]):
    import json
    from pathlib import Path

    from pipeline import exports, rollout, trials
    from pipeline.agents.population import Population
    from pipeline.files import write_csv
    from pipeline.provenance import provenance
    from pipeline.tasks import TASKS
    from pipeline.training.evaluate import evaluate

    source, numbers = snakemake.params.source, snakemake.params.numbers
    task, seed = TASKS[source["task"]], snakemake.params.seed
    evaluation, behaviour = evaluate(
        Population.load(snakemake.input.population),
        task,
        numbers["ranking_episodes"],
        numbers["test_episodes"],
        snakemake.params.best,
        seed,
        source=source["name"],
        name=source["agent"],
        **json.loads(Path(snakemake.input.optimum).read_text()),
    )
    table = rollout.table(behaviour, source["name"], episodes=numbers["table_episodes"])
    trials.write(table, snakemake.output.parquet, snakemake.output.csv)
    exports.data_package(snakemake.output.parquet, table, provenance(snakemake.config, seed, snakemake.params.code))
    write_csv(evaluation, snakemake.output.evaluation)
