"""Compare the sources of one study: group differences, stacking weights, typicality of each animal."""

from pipeline.jobs import job

with job(snakemake.log[0]):
    from pipeline.comparison.run import compare_study
    from pipeline.comparison.typicality import typicality
    from pipeline.files import read_csvs, write_csv

    kinds = {source["name"]: source["kind"] for source in snakemake.params.study}
    groups, stacking = compare_study(
        snakemake.input.idata,
        snakemake.input.badges,
        snakemake.input.loo,
        kinds,
        snakemake.params.practical_equivalence,
        snakemake.params.seed,
    )
    write_csv(groups, snakemake.output.groups)
    write_csv(stacking, snakemake.output.stacking)
    write_csv(typicality(read_csvs(snakemake.input.summaries)), snakemake.output.typicality)
