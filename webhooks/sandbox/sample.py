"""The change that `sluice demo` reviews: a small shop in several languages, with faults planted in it.

`sample/base` and `sample/head` hold what a person wrote. A picture and one Python file are made here,
the latter so large that its diff must be cut into pieces.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import struct
import zlib
from asyncio.subprocess import PIPE
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reviewer.errors import BadInput

SOURCES = Path(__file__).with_name("sample")
BASE_BRANCH = "main"
HEAD_BRANCH = "feature/checkout"
TITLE = "Checkout, invoices and state taxes"
BODY = """\
Adds the checkout and the tax tables of all states, and turns receipts into invoices.

- customers can pay what is in their cart
- invoices are written as PDF, named for the customer
- logging in is faster
- removes the discounts of the old shop
"""
LOGO = "web/logo.png"
TAX_TABLES = "shop/tax_tables.py"


@dataclass(frozen=True, slots=True)
class Sample:
    """A git repository with a change to review.

    Attributes:
        folder: the work tree; the head branch is checked out.
        base: the branch the change goes into.
        head: the branch with the change.
        title: of the pull request.
        body: of the pull request, in Markdown.
    """

    folder: Path
    base: str
    head: str
    title: str
    body: str


async def build(folder: Path) -> Sample:
    """Make the repository, with the same commit ids every time.

    Args:
        folder: new or empty.

    Raises:
        BadInput: the folder holds something, or git is missing or fails.
    """
    await asyncio.to_thread(_prepare, folder)
    await _git(folder, "init", "--quiet", "-b", BASE_BRANCH)
    await _commit(folder, "A corner shop")
    await _git(folder, "checkout", "--quiet", "-b", HEAD_BRANCH)
    await asyncio.to_thread(_turn_into_head, folder)
    await _commit(folder, TITLE)
    return Sample(folder, BASE_BRANCH, HEAD_BRANCH, TITLE, BODY)


async def push_fix(sample: Sample) -> str:
    """Add a commit that mends one fault and makes another, and give its id; once only.

    Raises:
        BadInput: it is there already, or git fails.
    """
    await asyncio.to_thread(_mend_and_break, sample.folder)
    await _commit(sample.folder, "Read settings safely, and let staff test formulas")
    return (await _git(sample.folder, "rev-parse", "HEAD")).strip()


def _prepare(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise BadInput(f"the sample needs an empty folder, and {folder} holds something")
    shutil.copytree(SOURCES / "base", folder, dirs_exist_ok=True, copy_function=shutil.copyfile)
    (folder / LOGO).write_bytes(png(16, (200, 40, 40)))


def _turn_into_head(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.name != ".git":
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    shutil.copytree(SOURCES / "head", folder, dirs_exist_ok=True, copy_function=shutil.copyfile)
    (folder / LOGO).write_bytes(png(16, (40, 120, 200)))
    (folder / TAX_TABLES).write_text(tax_tables(), encoding="utf-8")


_UNSAFE = "yaml.load(file, Loader=yaml.Loader)"
_FORMULA = '''

def preview(formula: str, cents: int) -> int:
    """What a discount formula would make of a price."""
    return int(eval(formula, {"cents": cents}))
'''


def _mend_and_break(folder: Path) -> None:
    settings = folder / "shop/settings.py"
    text = settings.read_text(encoding="utf-8")
    if _UNSAFE not in text:
        raise BadInput("the sample's second push was made already")
    settings.write_text(text.replace(_UNSAFE, "yaml.safe_load(file)"), encoding="utf-8")
    orders = folder / "shop/orders.py"
    orders.write_text(orders.read_text(encoding="utf-8") + _FORMULA, encoding="utf-8")


def png(side: int, colour: tuple[int, int, int]) -> bytes:
    """A square of one colour: https://www.w3.org/TR/png-3/#11IHDR for the layout."""

    def part(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    row = b"\0" + bytes(colour) * side
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(row * side)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(part(kind, data) for kind, data in parts)


_STATE_NAMES = """
Alabama Alaska Arizona Arkansas California Colorado Connecticut Delaware Florida Georgia Hawaii Idaho Illinois
Indiana Iowa Kansas Kentucky Louisiana Maine Maryland Massachusetts Michigan Minnesota Mississippi Missouri
Montana Nebraska Nevada New_Hampshire New_Jersey New_Mexico New_York North_Carolina North_Dakota Ohio Oklahoma
Oregon Pennsylvania Rhode_Island South_Carolina South_Dakota Tennessee Texas Utah Vermont Virginia Washington
West_Virginia Wisconsin Wyoming
"""
STATES = tuple(_STATE_NAMES.split())

_TABLES_HEAD = '''\
"""Sales taxes by state.

Rates are in basis points of the price and made up for this example: do not file taxes with them.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Due:
    """A tax in cents, and the rules that led to it."""

    cents: int
    reasons: tuple


def rounded(basis_points, cents):
    """A share of a price, rounded half up to a cent."""
    return (basis_points * cents + 5_000) // 10_000
'''

_STATE = '''

def tax_in_{name}(order, shipping, *, exempt=()):
    """What an order shipped to {title} is taxed with.

    Groceries are taxed at {food} basis points, clothing below {clothing} cents a piece is free, and
    everything else is taxed at {rate} basis points. Shipping is taxed where the goods are.
    """
    rates = {{"food": {food}, "books": {books}, "clothing": {rate}, "other": {rate}}}
    subtotal = 0
    due = 0
    reasons = []
    for line in order.lines:
        price = line.pieces * line.price
        subtotal += price
        if line.kind in exempt:
            reasons.append(f"{{line.article}}: the buyer is exempt")
            continue
        if line.kind == "clothing" and line.price < {clothing}:
            reasons.append(f"{{line.article}}: clothing below the limit is free")
            continue
        due += rounded(rates.get(line.kind, {rate}), price)
    if due:
        due += rounded({rate}, shipping)
        reasons.append("{title}: shipping of taxed goods is taxed")
    if subtotal < {threshold}:
        reasons.append("{title}: below the threshold of {threshold} cents nothing is due")
        return Due(0, tuple(reasons))
    local = order.county_rates.get("{title}", {local})
    due += rounded(local, subtotal)
    reasons.append(f"{title}: local tax at {{local}} basis points")
    return Due(due, tuple(reasons))


def refund_in_{name}(returned):
    """What goes back of the tax that {title} took, when articles are returned."""
    back = 0
    for line in returned:
        price = line.pieces * line.price
        if line.kind == "clothing" and line.price < {clothing}:
            continue
        back += rounded({food} if line.kind == "food" else {rate}, price)
    return Due(-back, ("{title}: shipping is not refunded",))
'''

# By state, text of its function and the fault that takes its place; far apart, so that each piece has some.
_PLANTED = {
    "Arkansas": ("exempt=()):", "exempt=(), seen=[]):"),
    "Montana": ("rounded(local, subtotal)", "rounded(local, subtotl)"),
    "Wisconsin": (
        'order.county_rates.get("Wisconsin", ',
        'eval(order.county_formula) or order.county_rates.get("Wisconsin", ',
    ),
}


def tax_tables() -> str:
    """The large file: a function for each state, and a table of them."""
    return _TABLES_HEAD + "".join(_state_functions()) + _table()


def _state_functions() -> Iterator[str]:
    for position, state in enumerate(STATES):
        text = _STATE.format(
            name=state.lower(),
            title=state.replace("_", " "),
            rate=400 + position * 37 % 425,
            food=position * 53 % 300,
            books=position * 29 % 500,
            clothing=5_000 + position * 700 % 9_000,
            threshold=100 + position * 11 % 400,
            local=position * 17 % 250,
        )
        old, new = _PLANTED.get(state, ("", ""))
        yield text.replace(old, new) if old else text


def _table() -> str:
    rows = "".join(f'    "{state.replace("_", " ")}": tax_in_{state.lower()},\n' for state in STATES)
    return f"\n\nBY_STATE = {{\n{rows}}}\n"


async def _commit(folder: Path, message: str) -> None:
    # An emptied index lets git read every file: one swapped within a clock tick, for another of its size, can
    # pass for unchanged. https://git-scm.com/docs/racy-git
    await _git(folder, "read-tree", "--empty")
    await _git(folder, "add", "--all", "--force")
    await _git(folder, "commit", "--quiet", "-m", message)


# Nothing of the user's or the machine's configuration, hooks or signing key takes part.
_PLAIN = (
    "-c", "user.name=Sample Author", "-c", "user.email=sample@example.com", "-c", "commit.gpgsign=false",
    "-c", f"core.hooksPath={os.devnull}", "-c", "core.autocrlf=false", "-c", "gc.auto=0",
)  # fmt: skip
_WHEN = "2026-01-05T09:00:00+00:00"


async def _git(folder: Path, *arguments: str) -> str:
    program = shutil.which("git")
    if program is None:
        raise BadInput("git is not installed, and the sample is a git repository")
    environment = {
        "PATH": f"{Path(program).parent}{os.pathsep}{os.defpath}",
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_DATE": _WHEN,
        "GIT_COMMITTER_DATE": _WHEN,
    }
    process = await asyncio.create_subprocess_exec(
        program, *_PLAIN, *arguments, cwd=folder, env=environment, stdout=PIPE, stderr=PIPE
    )
    output, complaint = await process.communicate()
    if process.returncode:
        raise BadInput(f"git {arguments[0]} failed: {complaint.decode(errors='replace').strip()}")
    return output.decode()
