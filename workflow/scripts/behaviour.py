"""Trial table -> summaries, curves and regressions."""

from pipeline.jobs import job

with job(snakemake.log[0]):
    from pipeline import trials
    from pipeline.behaviour.run import analyse
    from pipeline.files import write_csv

    table = trials.read(snakemake.input.trials)
    found = analyse(
        table, lags=snakemake.params.lags, replicates=snakemake.params.bootstrap, seed=snakemake.params.seed
    )
    for name in ("summary", "curves", "regressions"):
        write_csv(found[name], snakemake.output[name])
