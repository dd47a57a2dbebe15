"""One study's results -> its page."""

from pipeline.jobs import job

with job(snakemake.log[0]):
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
    build.write(build.page(load_study(plan.results, snakemake.wildcards.study, plan), context), snakemake.output[0])
