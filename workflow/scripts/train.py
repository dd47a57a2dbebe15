"""Train one population: many agents, each with its own hyperparameters and weights, in one batched computation."""

from pipeline.jobs import job

with job(snakemake.log[0]):
    from pipeline.training import Training, train, write_tables

    source = snakemake.params.source
    population = train(
        source["agent"],
        source["task"],
        Training.from_mapping(snakemake.params.training),
        snakemake.params.seed,
        snakemake.params.checkpoints,
        snakemake.params.device,
        source["reward_input"],
    )
    write_tables(population, snakemake.output.agents, snakemake.output.curve)
    population.save(snakemake.output.population)
