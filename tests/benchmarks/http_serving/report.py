"""How figures are shown."""

import os

from rich import box
from rich.console import Console
from rich.table import Table


def show(title: str, columns: list[str], rows: list[list[str]], *notes: str) -> None:
    """Print one table, the machine it was measured on, and notes. The first column is text, the others are numbers."""
    table = Table(title=title, box=box.SIMPLE_HEAD, pad_edge=False)
    for place, column in enumerate(columns):
        table.add_column(column, justify="right" if place else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    # The table is not to be cut where the output is a file.
    console = Console(width=max(Console().width, 200))
    console.print(table)
    cores, load = len(os.sched_getaffinity(0)), os.getloadavg()[0]
    for note in (f"Server and load generator share {cores} cores; load average at the end {load:.1f}.", *notes):
        console.print(f"  {note}", highlight=False)
