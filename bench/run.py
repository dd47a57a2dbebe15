"""`make bench`: every benchmark, printed and written to bench/results.csv (name, setting, value, unit, machine)."""

from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table

from bench import bench_models, bench_training
from pipeline.files import write_csv


def main() -> None:
    rows = [row for module in (bench_training, bench_models) for row in module.rows()]
    frame = pd.DataFrame(rows)[["name", "setting", "value", "unit", "machine"]]
    shown = Table("name", "setting", "value", "unit", title=f"learning-set on {frame['machine'].iloc[0]}")
    for row in frame.itertuples():
        shown.add_row(row.name, row.setting, f"{row.value:,.4g}" if row.value < 1000 else f"{row.value:,.0f}", row.unit)
    Console(width=130).print(shown)
    target = Path(__file__).parent / "results.csv"
    write_csv(frame, target)
    print(f"written to {target}")


if __name__ == "__main__":
    main()
