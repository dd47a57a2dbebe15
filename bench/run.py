"""`make bench`: every benchmark, printed and written to bench/results.csv (name, setting, value, unit, machine, note).

``python -m bench.run peers`` runs only the benchmarks named and prints them; nothing is written.
"""

import sys
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table

from bench import bench_models, bench_peers, bench_training
from pipeline.files import write_csv

PARTS = {"training": bench_training, "models": bench_models, "peers": bench_peers}
COLUMNS = ("name", "setting", "value", "unit", "note")


def shown(value: float | None) -> str:
    """Write a value with the digits that matter; – where nothing was measured."""
    if value is None or pd.isna(value):
        return "–"
    return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"


def show(rows: list[dict]) -> None:
    """Print rows as a table."""
    table = Table(*COLUMNS, title=f"learning-set on {rows[0]['machine']}")
    for row in rows:
        table.add_row(*(shown(row[name]) if name == "value" else row[name] for name in COLUMNS))
    Console(width=190).print(table)


def main() -> None:
    unknown = [name for name in sys.argv[1:] if name not in PARTS]
    if unknown:
        raise SystemExit(f"benchmark {unknown[0]!r} is not known; known are {', '.join(PARTS)}")
    found = []
    for name in sys.argv[1:] or PARTS:
        print(f"{name} …", flush=True)
        found += PARTS[name].rows()
    show(found)
    if not sys.argv[1:]:
        target = Path(__file__).parent / "results.csv"
        write_csv(pd.DataFrame(found)[["name", "setting", "value", "unit", "machine", "note"]], target)
        print(f"written to {target}")


if __name__ == "__main__":
    main()
