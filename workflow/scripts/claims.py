"""Judge every published claim by the rule that resources/published_claims.csv fixes."""

from pipeline.jobs import job

with job(snakemake.log[0]):
    from pipeline.comparison import claims
    from pipeline.files import read_csvs, write_csv

    found = claims.judge(
        claims.read(snakemake.input.published),
        read_csvs(snakemake.input.evaluations),
        read_csvs(snakemake.input.summaries),
    )
    write_csv(found, snakemake.output[0])
