"""The judged claims of all studies in one table; those of studies that this scale leaves out are not run."""

from pipeline.jobs import job

with job(snakemake.log[0]):
    import pandas as pd

    from pipeline.comparison import claims
    from pipeline.files import read_csvs, write_csv

    published = claims.read(snakemake.input.published)
    left_out = claims.judge(published[~published["study"].isin(snakemake.params.studies)], {})
    write_csv(pd.concat([read_csvs(snakemake.input.judged), left_out], ignore_index=True), snakemake.output[0])
