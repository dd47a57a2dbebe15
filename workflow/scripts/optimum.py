"""Expected regret of chance and of the exact optimum on one task: the limits that every agent is held against."""

from pipeline.jobs import job

with job(snakemake.log[0]):
    import json

    from pipeline.agents.optimum import bounds
    from pipeline.files import replacing

    found = bounds(snakemake.wildcards.task)
    with replacing(snakemake.output[0]) as path:
        path.write_text(json.dumps(found) + "\n")
