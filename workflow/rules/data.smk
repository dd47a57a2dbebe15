# Animals and people: checked files -> trial table.


rule primate_trials:
    input:
        facts="resources/datasets.csv",
    output:
        parquet=f"{plan.results}/trials/{{study}}/{{source}}.parquet",
        csv=f"{plan.results}/trials/{{study}}/{{source}}.csv",
        package=f"{plan.results}/trials/{{study}}/{{source}}.json",
    log:
        f"logs/{plan.scale}/primate_trials/{{study}}.{{source}}.log",
    benchmark:
        f"benchmarks/{plan.scale}/primate_trials/{{study}}.{{source}}.tsv"
    wildcard_constraints:
        source="|".join(DATASETS),
    threads: 1
    resources:
        mem_mb=1000,
    params:
        code=lambda w: steps.dataset_code(w.source),
        data_dir=data_dir(config),
    script:
        "../scripts/primate_trials.py"
