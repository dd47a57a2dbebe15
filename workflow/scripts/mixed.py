"""Hierarchical logistic regressions of one source, every one that the study asks for."""

from pipeline.jobs import job

with job(snakemake.log[0]):
    import json
    from pathlib import Path

    from pipeline import trials
    from pipeline.behaviour.mixed import analyse
    from pipeline.files import replacing, write_csv
    from pipeline.models.data import first_episodes

    table = first_episodes(trials.read(snakemake.input.trials), snakemake.params.episodes)
    settings = {**snakemake.params.sampler, "threads": snakemake.threads, "seed": snakemake.params.seed}
    found, badge = analyse(
        table, snakemake.params.regressions, settings, snakemake.wildcards.source, lags=snakemake.params.lags
    )
    write_csv(found, snakemake.output.table)
    with replacing(Path(snakemake.output.badge)) as temporary:
        Path(temporary).write_text(json.dumps(badge, indent=1, ensure_ascii=False) + "\n")
