"""Invoices as text and as PDF."""

import subprocess
from pathlib import Path

WIDTH = 48


def row(name: str, cents: int) -> str:
    """One row: the name on the left, the price on the right."""
    price = f"{cents / 100:.2f}"
    return name[: WIDTH - len(price) - 1].ljust(WIDTH - len(price)) + price


def text(lines) -> str:
    """The whole invoice."""
    rows = [row(line.article, line.pieces * line.price) for line in lines]
    rows.append("-" * WIDTH)
    rows.append(row("Total", sum(line.pieces * line.price for line in lines)))
    return "\n".join(rows)


def write_pdf(source: Path, customer: str) -> Path:
    """Turn a text invoice into a PDF that is named for the customer."""
    target = Path("/var/invoices") / f"{customer}.pdf"
    subprocess.run(f"pandoc {source} -o {target} --metadata title='{customer}'", shell=True, check=True)
    return target
