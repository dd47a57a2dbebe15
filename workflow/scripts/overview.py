"""Everything that was run -> the index and the claims page."""

from pipeline.jobs import job

with job(snakemake.log[0]):
    from pipeline.files import read_csvs
    from pipeline.plan import Plan
    from pipeline.provenance import provenance, run_times
    from pipeline.report import build
    from pipeline.report.load import load_study

    plan = Plan(snakemake.config)
    context = build.Context(
        provenance(snakemake.config, plan.seed, snakemake.params.code),
        list(plan.studies),
        run_times(f"benchmarks/{plan.scale}"),
    )
    results = [load_study(plan.results, study, plan) for study in plan.studies]
    claims = read_csvs([snakemake.input.claims])
    build.write(build.index(results, claims, context), snakemake.output.index)
    build.write(build.claims_page(claims, context, results), snakemake.output.claims)
