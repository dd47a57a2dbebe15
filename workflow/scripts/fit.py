"""Fit one hierarchical model to one source; check it, cross-validate it, and predict from it."""

from pipeline.jobs import job

with job(snakemake.log[0]):
    from pipeline import models, trials
    from pipeline.files import write_csv
    from pipeline.models.data import first_episodes
    from pipeline.models.predictive import check

    table = trials.read(snakemake.input.trials)
    name, seed = snakemake.wildcards.model, snakemake.params.seed
    episodes = snakemake.params.episodes
    settings = {**snakemake.params.sampler, "threads": snakemake.threads, "seed": seed, "episodes": episodes}
    result = models.fit(table, name, settings, snakemake.wildcards.source)
    write_csv(check(first_episodes(table, episodes), result, seed), snakemake.output.predictive)
    result.write(snakemake.output.idata, snakemake.output.posterior, snakemake.output.badge, snakemake.output.loo)
