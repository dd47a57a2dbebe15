"""Let a learner play the networks' own test episodes, on every task of the study."""

from pipeline.jobs import job

with job(snakemake.log[0]):
    import json
    from pathlib import Path

    import pandas as pd

    from pipeline import exports, rollout, trials
    from pipeline.agents import AGENTS
    from pipeline.files import write_csv
    from pipeline.provenance import provenance
    from pipeline.tasks import TASKS
    from pipeline.training.evaluate import evaluate

    name, numbers, seed = snakemake.wildcards.source, snakemake.params.numbers, snakemake.params.seed
    entry = AGENTS[name]
    tables, evaluations = [], []
    for session, (task, optimum) in enumerate(
        zip(map(TASKS.get, snakemake.params.tasks), snakemake.input.optimum), start=1
    ):
        if entry.tasks is not None and task.name not in entry.tasks:
            continue
        evaluation, behaviour = evaluate(
            entry.load()(task, **entry.settings),
            task,
            numbers["ranking_episodes"],
            numbers["test_episodes"],
            1,
            seed,
            source=name,
            name=name,
            **json.loads(Path(optimum).read_text()),
        )
        evaluations.append(evaluation)
        tables.append(rollout.table(behaviour, name, session, episodes=numbers["table_episodes"]))
    table = pd.concat(tables, ignore_index=True) if tables else trials.empty()
    trials.write(table, snakemake.output.parquet, snakemake.output.csv)
    exports.data_package(snakemake.output.parquet, table, provenance(snakemake.config, seed, snakemake.params.code))
    write_csv(pd.concat(evaluations, ignore_index=True), snakemake.output.evaluation)
