"""Recovery and simulation-based calibration of one model on the structure of one study."""

from pipeline.jobs import job

with job(snakemake.log[0]):
    from pipeline.files import write_csv
    from pipeline.models.calibrate import check_study

    recovery, ranks = check_study(
        snakemake.wildcards.study, snakemake.wildcards.model, snakemake.params.numbers, snakemake.params.seed
    )
    write_csv(recovery, snakemake.output.recovery)
    write_csv(ranks, snakemake.output.ranks)
