"""The bundled change has what a demo must show."""

import asyncio
import subprocess
from pathlib import Path

import pytest

from reviewer.analyzers.engine import AnalyzersEngine
from reviewer.core import chunks, diff
from reviewer.core.batches import Batch, gather
from reviewer.core.chunks import Measure
from reviewer.core.diff import Diff, FileStatus, Unread
from reviewer.core.findings import ReportedFinding
from reviewer.core.tokens import Estimator
from reviewer.errors import BadInput
from reviewer.git import CommitFiles
from reviewer.ports import EngineNews, Reported
from tests.fakes.work import ROUTE, task
from webhooks.sandbox.sample import BASE_BRANCH, HEAD_BRANCH, TAX_TABLES, Sample, build, push_fix, tax_tables

HALF_A_CONTEXT_WINDOW = 32_000


@pytest.fixture
async def sample(tmp_path: Path) -> Sample:
    return await build(tmp_path / "shop")


def git(sample: Sample, *arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=sample.folder, check=True, capture_output=True).stdout


def read(sample: Sample, range_: str = f"{BASE_BRANCH}...{HEAD_BRANCH}") -> Diff:
    return diff.parse(git(sample, "diff", "--no-ext-diff", "-M", range_))


async def review(sample: Sample, batch: Batch) -> list[ReportedFinding]:
    told: list[ReportedFinding] = []

    async def tell(news: EngineNews) -> None:
        assert isinstance(news, Reported)
        told.append(news.finding)

    await AnalyzersEngine().review(task(batch, sources=CommitFiles(sample.folder, HEAD_BRANCH)), tell)
    return told


async def test_every_kind_of_change_is_there(sample: Sample):
    files = {file.path: file for file in read(sample).files}

    assert files["shop/invoices.py"].status is FileStatus.RENAMED
    assert files["shop/invoices.py"].old_path == "shop/receipts.py"
    assert files["shop/legacy_discounts.py"].status is FileStatus.REMOVED
    assert files["shop/checkout.py"].status is FileStatus.ADDED
    assert files["web/logo.png"].unread is Unread.BINARY
    assert files["web/package-lock.json"].status is FileStatus.MODIFIED
    assert {Path(path).suffix for path in files} >= {".py", ".ts", ".go", ".sh", ".yml", ".md"}


async def test_two_builds_are_the_same_commits(sample: Sample, tmp_path: Path):
    again = await build(tmp_path / "again")

    heads = [git(one, "rev-parse", BASE_BRANCH, HEAD_BRANCH) for one in (sample, again)]
    assert heads[0] == heads[1]
    assert git(sample, "status", "--porcelain") == b""


async def test_the_large_file_is_cut_and_is_python(sample: Sample):
    (large,) = (file for file in read(sample).files if file.path == TAX_TABLES)

    assert Estimator().estimate(tax_tables()) > HALF_A_CONTEXT_WINDOW
    assert len(chunks.split(large, Measure(HALF_A_CONTEXT_WINDOW))) >= 2
    compile(tax_tables(), TAX_TABLES, "exec")


async def test_analyzers_find_something_in_many_files_and_in_every_chunk_of_the_large_one(sample: Sample):
    pieces = [c for f in read(sample).files for c in chunks.split(f, Measure(HALF_A_CONTEXT_WINDOW))]

    found = [
        f
        for b in gather(pieces, target=HALF_A_CONTEXT_WINDOW, route=lambda _: ROUTE)
        for f in await review(sample, b)
    ]

    assert len(found) >= 10
    assert len({f.path for f in found}) >= 5
    places = [f.line for f in found if f.path == TAX_TABLES]
    for chunk in (c for c in pieces if c.path == TAX_TABLES):
        assert any(chunk.span[0] <= line <= chunk.span[1] for line in places), chunk.span


async def test_a_second_push_mends_one_fault_and_makes_another(sample: Sample):
    before = git(sample, "rev-parse", "HEAD").decode().strip()

    sha = await push_fix(sample)

    assert git(sample, "rev-parse", HEAD_BRANCH).decode().strip() == sha
    batch = Batch(
        "b1",
        tuple(c for f in read(sample, f"{before}..{sha}").files for c in chunks.split(f, Measure(9000))),
        ROUTE,
    )
    assert [(f.path, "eval" in f.title) for f in await review(sample, batch)] == [("shop/orders.py", True)]
    assert b"yaml.safe_load" in git(sample, "show", f"{sha}:shop/settings.py")
    with pytest.raises(BadInput, match="already"):
        await push_fix(sample)


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path):
    (tmp_path / "mine").write_text("precious")

    with pytest.raises(BadInput, match="holds something"):
        asyncio.run(build(tmp_path))
    assert [entry.name for entry in tmp_path.iterdir()] == ["mine"]
