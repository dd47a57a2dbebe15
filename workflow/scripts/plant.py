"""Effects planted in simulated data, and what a fit makes of them."""

from pipeline.jobs import job

with job(snakemake.log[0]):
    from pipeline.files import write_csv
    from pipeline.models.calibrate import plant_study

    found = plant_study(
        snakemake.wildcards.study, snakemake.params.model, snakemake.params.numbers, snakemake.params.seed
    )
    write_csv(found, snakemake.output[0])
