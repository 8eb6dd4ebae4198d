from __future__ import annotations

from dataclasses import dataclass, field, replace

from reviewer import definitions, pipeline
from reviewer.context import Context
from reviewer.core import diff
from reviewer.core.batches import Batch
from reviewer.core.budget import Caps
from reviewer.core.chunks import Chunk
from reviewer.core.plan import Limits, plan
from reviewer.core.policy import Policy
from reviewer.core.prompt import build
from reviewer.core.tokens import Estimator
from reviewer.definitions import Spare
from reviewer.errors import ForgeRefused
from reviewer.job import Job, Ports
from reviewer.local import LocalBudgets, LocalRates, SystemClock
from reviewer.ports import BatchDone, Task, Tell
from tests.fakes.work import MODELS, PAYER, ROUTE
from tests.repositories import Repository
from tests.test_definitions import LONG, looks_in_proc, parsers, ready
from tests.test_pipeline import SUBJECT, Memory, Scripted

BEFORE = (
    "class Shop:\n    def pay(\n        self,\n        order,\n    ):\n"
    + "".join(f"        step_{n}(order)\n" for n in range(20))
    + "        return order\n"
)
AFTER = BEFORE.replace("step_15(order)", "step_15(order, now=True)")


@dataclass
class Head:
    """Files of a head."""

    files: dict[str, str]
    cheap_reads: int = 10
    asked: list[str] = field(default_factory=list)

    async def read(self, path: str) -> bytes | None:
        self.asked.append(path)
        return self.files[path].encode() if path in self.files else None


def chunks_of(tmp_path, before: dict[str, str], after: dict[str, str], limits: Limits) -> tuple[Chunk, ...]:
    repository = Repository(tmp_path / "repository")
    old, new = (
        repository.commit({name.encode(): text.encode() for name, text in tree.items()})
        for tree in (before, after)
    )
    return plan(diff.parse(repository.diff(old, new)), Policy(), limits, MODELS).chunks


async def surrounded(tmp_path, head: Head, *, before=None, limits: Limits | None = None) -> list[Chunk]:
    limits = limits or Limits(64_000)
    async with Context(head, limits) as context:
        known = chunks_of(tmp_path, before or {"shop.py": BEFORE}, head.files, limits)
        return [await context.around(chunk) for chunk in known]


async def test_a_hunk_is_shown_with_the_name_and_header_of_what_encloses_it(tmp_path):
    (chunk,) = await surrounded(tmp_path, Head({"shop.py": AFTER}))

    assert chunk.text().split("\n")[:7] == [
        "@@ -18,7 +18,7 @@ class Shop:",
        "in Shop.pay:",
        "C2     |    def pay(",
        "C3     |        self,",
        "C4     |        order,",
        "C5     |    ):",
        "R18             step_12(order)",
    ]
    assert Estimator().estimate(chunk.text()) <= chunk.tokens
    assert "C2     |    def pay(" in build(Batch("b", (chunk,), ROUTE)).user


async def test_a_hunk_that_shows_the_beginning_itself_gets_nothing_more(tmp_path):
    (chunk,) = await surrounded(tmp_path, Head({"shop.py": BEFORE.replace("order,", "order=None,")}))

    assert "in Shop" not in chunk.text()


async def test_a_change_between_definitions_has_no_surroundings(tmp_path):
    before = {"a.py": "def f():\n    return 1\n\n\n\n\n\n\nX = 1\n\n\n\n\n\ndef g():\n    return 2\n"}

    (chunk,) = await surrounded(
        tmp_path, Head({"a.py": before["a.py"].replace("X = 1", "X = 2")}), before=before
    )

    assert chunk.pieces[0].surroundings is None


async def test_a_file_that_is_not_the_diffs_is_not_believed(tmp_path):
    head = Head({"shop.py": AFTER})
    async with Context(head, Limits(64_000)) as context:
        (chunk,) = chunks_of(tmp_path, {"shop.py": BEFORE}, head.files, Limits(64_000))
        head.files["shop.py"] = "# moved\n" + AFTER

        assert await context.around(chunk) == chunk


async def test_no_more_files_are_read_than_are_cheap_and_none_that_tells_nothing(tmp_path):
    names = [f"f{number}.py" for number in range(4)]
    head = Head({**dict.fromkeys(names, AFTER), "new.py": AFTER, "notes.txt": "b\n"}, cheap_reads=2)

    chunks = await surrounded(tmp_path, head, before={**dict.fromkeys(names, BEFORE), "notes.txt": "a\n"})

    assert len(head.asked) == 2
    assert sum(chunk.pieces[0].surroundings is not None for chunk in chunks) == 2
    assert "new.py" not in head.asked


async def test_surroundings_never_push_a_chunk_over_its_limit(tmp_path):
    wide = {"shop.py": BEFORE.replace("(order)", f"(order)  # {'.' * 200}")}
    head = Head({"shop.py": wide["shop.py"].replace("step_15(order)", "step_15(order, now=True)")})
    bare = chunks_of(tmp_path, wide, head.files, Limits(64_000))[0].tokens

    sizes: list[int] = []
    for number, room in enumerate(range(0, 60, 10)):
        limits = Limits(2 * (bare + room))
        (tmp_path / str(number)).mkdir()
        (chunk,) = await surrounded(tmp_path / str(number), head, before=wide, limits=limits)
        assert chunk.tokens <= limits.chunk
        sizes.append(chunk.tokens)

    assert sizes[0] == bare < sizes[-1]


async def test_files_that_may_not_be_read_are_asked_for_once_and_the_reason_is_noted(tmp_path):
    class Shut(Head):
        async def read(self, path: str) -> bytes | None:
            self.asked.append(path)
            raise ForgeRefused("not without contents=read", status=403)

    head = Shut({"shop.py": AFTER, "till.py": AFTER})
    async with Context(head, Limits(64_000)) as context:
        known = chunks_of(tmp_path, {"shop.py": BEFORE, "till.py": BEFORE}, head.files, Limits(64_000))
        shown = [await context.around(chunk) for chunk in known]

    assert shown == list(known)
    assert len(head.asked) == 1
    assert "contents=read" in context.notes[0]


def job_of(tmp_path, head: Head, before: dict[str, str]) -> Job:
    repository = Repository(tmp_path / "repository")
    old, new = (
        repository.commit({name.encode(): text.encode() for name, text in tree.items()})
        for tree in (before, head.files)
    )
    changes = diff.parse(repository.diff(old, new))
    return Job(subject=SUBJECT, diff=changes, sources=head, limits=Limits(64_000), models=MODELS, payer=PAYER)


@looks_in_proc
async def test_a_review_parses_in_the_process_that_was_ready_and_starts_none(tmp_path, monkeypatch):
    monkeypatch.setattr(definitions, "PAUSE_SECONDS", LONG)
    engine, memory = Watching(), Memory()
    async with Spare() as spare:
        only = await ready(spare)
        ports = Ports(engine, memory, memory, LocalRates(), LocalBudgets(Caps()), SystemClock(), spare)

        await pipeline.review(job_of(tmp_path, Head({"shop.py": AFTER}), {"shop.py": BEFORE}), ports)

        assert engine.parsers == [{only}]
        assert engine.sent[0].chunks[0].pieces[0].surroundings is not None
    assert parsers() == set()


@looks_in_proc
async def test_a_review_with_nothing_to_parse_leaves_the_spare_and_starts_no_process(tmp_path):
    head, before = Head({"notes.txt": "b\n", "new.py": AFTER}), {"notes.txt": "a\n"}
    engine, memory = Watching(), Memory()
    alone = Ports(engine, memory, memory, LocalRates(), LocalBudgets(Caps()), SystemClock())
    job = job_of(tmp_path, head, before)
    await pipeline.review(job, alone)
    assert engine.parsers
    assert not any(engine.parsers)

    async with Spare() as spare:
        waits = await ready(spare)
        await pipeline.review(job, replace(alone, spare=spare))
        assert await ready(spare) == waits


class Watching(Scripted):
    """Looks which processes parse whenever it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.parsers: list[set[int]] = []

    async def review(self, task: Task, tell: Tell) -> BatchDone:
        self.parsers.append(parsers())
        return await super().review(task, tell)
