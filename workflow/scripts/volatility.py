"""Trial table -> a Rescorla–Wagner fit of every episode, and learning rate against volatility."""

from pipeline.jobs import job

with job(snakemake.log[0]):
    from pipeline import trials
    from pipeline.behaviour.volatility import NoVolatility, analyse, not_run
    from pipeline.files import write_csv

    table = trials.read(snakemake.input.trials)
    try:
        found = analyse(table)
    except NoVolatility as error:  # a source without volatilities has nothing to analyse, and its table says so
        found = not_run(table, table.attrs.get("reason") or str(error), snakemake.wildcards.get("source", ""))
    for name in ("volatility", "episodes"):
        write_csv(found[name], snakemake.output[name])
