"""Judge every published claim about one study by the rule that resources/published_claims.csv fixes."""

from pipeline.jobs import job

with job(snakemake.log[0]):
    from pipeline.comparison import claims
    from pipeline.files import read_csvs, write_csv

    published = claims.read(snakemake.input.published)
    tables = {
        name: read_csvs(snakemake.input.get(files, []))
        for name, files in (
            ("evaluation", "evaluations"),
            ("summary", "summaries"),
            ("regressions", "regressions"),
            ("volatility", "volatility"),
            ("ideals", "ideals"),
            ("posterior", "posteriors"),
        )
    }
    own = published[published["study"] == snakemake.wildcards.study]
    write_csv(claims.judge(own, tables), snakemake.output[0])
