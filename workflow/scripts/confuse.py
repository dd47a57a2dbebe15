"""Which model of a study is taken for which, on simulated data."""

from pipeline.jobs import job

with job(snakemake.log[0]):
    from pipeline.files import write_csv
    from pipeline.models.calibrate import confuse_study

    found = confuse_study(
        snakemake.wildcards.study, snakemake.params.models, snakemake.params.numbers, snakemake.params.seed
    )
    write_csv(found, snakemake.output[0])
