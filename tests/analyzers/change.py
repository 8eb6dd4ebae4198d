"""Small changes as the pipeline would hand them to an engine."""

import difflib
from dataclasses import dataclass, field, replace

from reviewer.analyzers.engine import AnalyzersEngine
from reviewer.core import chunks, diff
from reviewer.core.batches import Batch
from reviewer.core.chunks import Measure
from reviewer.core.findings import ReportedFinding
from reviewer.ports import EngineNews, Reported
from tests.fakes.work import ROUTE, task


@dataclass
class Files:
    """A head whose files are these; `asked` is what was read of it."""

    files: dict[str, bytes]
    asked: list[str] = field(default_factory=list)
    cheap_reads: int = 0

    async def read(self, path: str) -> bytes | None:
        self.asked.append(path)
        return self.files.get(path)


def change(path: str, after: bytes, before: bytes | None = None) -> bytes:
    """The diff that git would print for one file; a `before` of None adds it."""
    old, new = ([] if text is None else _lines(text) for text in (before, after))
    a, b = (_quoted(f"{prefix}/{path}") for prefix in "ab")
    added = "new file mode 100644\n" if before is None else ""
    hunks = list(difflib.unified_diff(old, new, lineterm=""))[2:]
    header = f"diff --git {a} {b}\n{added}--- {'/dev/null' if before is None else a}\n+++ {b}\n"
    return (header + "".join(f"{row}\n" for row in hunks)).encode("utf-8", "surrogateescape")


def batch_of(*changes: bytes, limit: int = 32_000) -> Batch:
    """One batch of all chunks of the changes."""
    files = diff.parse(b"".join(changes)).files
    pieces = [chunk for file in files for chunk in chunks.split(file, Measure(limit))]
    return Batch("b1", tuple(pieces), ROUTE)


def batch_at(path: str, content: bytes) -> Batch:
    """One added file under a name that no diff may give it: engines don't rely on who asks them."""
    file = replace(diff.parse(change("x", content)).files[0], path=path)
    return Batch("b1", chunks.split(file, Measure(32_000)), ROUTE)


async def review(
    batch: Batch, files: dict[str, bytes], engine: AnalyzersEngine | None = None
) -> tuple[list[ReportedFinding], tuple[str, ...]]:
    """What the engine tells of the batch, and its notes."""
    told: list[ReportedFinding] = []

    async def tell(news: EngineNews) -> None:
        assert isinstance(news, Reported)
        told.append(news.finding)

    done = await (engine or AnalyzersEngine()).review(task(batch, sources=Files(files)), tell)
    return told, done.notes


async def review_new(path: str, content: bytes) -> list[ReportedFinding]:
    """What the engine tells of one added file that can be read."""
    return (await review(batch_of(change(path, content)), {path: content}))[0]


def rules(findings: list[ReportedFinding]) -> list[tuple[int, str]]:
    """Line and rule of each."""
    return [(f.line, f.message.rsplit("(", 1)[1].removesuffix(")")) for f in findings]


def _lines(text: bytes) -> list[str]:
    assert text.endswith(b"\n")
    return text.decode("utf-8", "surrogateescape").split("\n")[:-1]


def _quoted(path: str) -> str:
    data = path.encode("utf-8", "surrogateescape")
    if all(32 <= byte < 127 for byte in data):
        return path
    return '"' + "".join(chr(b) if 32 <= b < 127 else f"\\{b:03o}" for b in data) + '"'
