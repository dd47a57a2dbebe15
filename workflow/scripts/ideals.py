"""Expected regret of the ideal agent of each training prior on each test prior: what the matrix is held against."""

from pipeline.jobs import job

with job(snakemake.log[0]):
    from pipeline.agents.ideals import ideals
    from pipeline.files import write_csv

    write_csv(ideals(snakemake.params.tasks), snakemake.output[0])
