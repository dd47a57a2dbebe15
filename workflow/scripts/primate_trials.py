"""Animals or people -> trial table; zero rows and the reason where the data cannot be had."""

from pipeline.jobs import job

with job(snakemake.log[0]):
    from pipeline import exports, trials
    from pipeline.primates.load import load
    from pipeline.provenance import provenance

    table = load(snakemake.wildcards.source, snakemake.params.data_dir)
    status = {key: str(value) for key, value in table.attrs.items()}
    made_by = provenance(snakemake.config, snakemake.config["seed"], snakemake.params.code)
    trials.write(table, snakemake.output.parquet, snakemake.output.csv, status)
    exports.data_package(snakemake.output.parquet, table, {**made_by, **status})
