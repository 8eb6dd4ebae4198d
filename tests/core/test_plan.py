from __future__ import annotations

import pytest

from reviewer.core import diff
from reviewer.core.coverage import Reason
from reviewer.core.plan import Limits, Plan, plan
from reviewer.core.policy import Policy
from reviewer.core.preflight import SMALLEST_ANSWER, judge
from reviewer.core.routing import Models, Route
from reviewer.core.tokens import Estimator
from reviewer.errors import PromptTooLarge


def section(path: str, lines: int = 2, *, width: int = 30) -> str:
    body = "".join(f"+{'x' * width}\n" for _ in range(lines))
    return (
        f"diff --git a/{path} b/{path}\nnew file mode 100644\nindex 0000000..1111111\n"
        f"--- /dev/null\n+++ b/{path}\n@@ -0,0 +1,{lines} @@\n{body}"
    )


BINARY = (
    "diff --git a/x.png b/x.png\nindex 1111111..2222222 100644\nBinary files a/x.png and b/x.png differ\n"
)
UNSHOWN = "diff --git a/huge.py b/huge.py\nindex 1111111..2222222 100644\n"
RENAMED = "diff --git a/o.py b/n.py\nsimilarity index 100%\nrename from o.py\nrename to n.py\n"
POINTER = (
    "diff --git a/model.bin b/model.bin\nindex 1111111..2222222 100644\n--- a/model.bin\n+++ b/model.bin\n"
    "@@ -1,3 +1,3 @@\n version https://git-lfs.github.com/spec/v1\n-oid sha256:1\n-size 1\n"
    "+oid sha256:2\n+size 2\n"
)
MARKED = section("made.py").replace("xxxxxxxxxxx", "@generated ", 1)


MODELS = Models("main", "small")


def planned(*sections: str, ignore: tuple[str, ...] = (), limits: Limits | None = None) -> Plan:
    return plan(diff.parse("".join(sections)), Policy(ignore=ignore), limits or Limits(8_000), MODELS)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (section("a.py"), None),
        (RENAMED, None),
        (BINARY, Reason.BINARY),
        (POINTER, Reason.BINARY),
        (UNSHOWN, Reason.UNREADABLE),
        (section("web/package-lock.json"), Reason.GENERATED),
        (section("web/app.min.js"), Reason.GENERATED),
        (MARKED, Reason.GENERATED),
        (section("docs/a.md"), Reason.IGNORED),
    ],
)
def test_each_file_is_planned_or_skipped_with_a_reason_of_the_closed_list(text, reason):
    (file,) = planned(text, ignore=("docs/",)).files

    assert file.skipped is reason
    assert bool(file.chunks) == (reason is None and text is not RENAMED)


def test_the_ledger_adds_up_by_file_and_in_sum():
    work = planned(section("a.py", 400), section("b.py"), section("yarn.lock", 5), BINARY, UNSHOWN, RENAMED)
    first, second, *_ = work.files[0].chunks

    told = work.coverage({first.id, work.files[1].chunks[0].id}, {second.id: Reason.ENGINE_FAILED})

    by_path = {file.path: file for file in told.files}
    assert by_path["a.py"].reviewed == first.changed_lines
    assert by_path["a.py"].not_reviewed == {Reason.ENGINE_FAILED: second.changed_lines}
    assert (by_path["b.py"].reviewed, by_path["b.py"].changed_lines) == (2, 2)
    assert by_path["yarn.lock"].not_reviewed == {Reason.GENERATED: 5}
    assert by_path["x.png"].not_reviewed == {Reason.BINARY: 0}
    assert by_path["huge.py"].not_reviewed == {Reason.UNREADABLE: 0}
    assert by_path["n.py"].not_reviewed == {}
    assert told.changed_lines == 407
    assert [file.path for file in told.gaps] == ["a.py", "yarn.lock", "x.png", "huge.py"]


def test_a_line_too_long_for_the_model_is_reviewed_and_reported_as_trimmed():
    told = planned(section("a.js", 3, width=20_000), limits=Limits(4_000)).promised()

    assert (told.reviewed, told.trimmed, told.files[0].trimmed) == (3, 3, 3)


def test_half_the_window_holds_the_prompt_and_the_chunk():
    limits = Limits(8_000, overhead=2_200, frame=110)

    assert limits.prompt == 1_000
    assert limits.chunk == 3_000
    assert all(chunk.tokens <= 3_000 for chunk in planned(section("a.py", 900), limits=limits).chunks)


def test_the_same_path_in_joined_diffs_keeps_its_chunks_apart():
    work = planned(section("a.py"), section("b.py"), section("a.py"))

    assert len({chunk.id for chunk in work.chunks}) == 3
    assert work.promised().reviewed == 6


def test_a_real_count_near_the_limit_keeps_a_file_whole_or_cuts_it():
    limits = Limits(8_000)
    over = planned(section("a.py", 310, width=20), limits=limits)  # 4,090 tokens by estimate, of 4,000
    under = planned(section("a.py", 290, width=20), limits=limits)
    assert (len(over.chunks), len(under.chunks)) == (2, 1)

    ((position, whole),) = over.doubtful().items()
    assert [chunk.parts for chunk in whole.chunks] == [1]
    assert whole.route == Route("main", "counting")
    assert len(over.recut({position: Estimator(2.4)}).chunks) == 1
    assert over.recut({position: Estimator(2.4)}).models is MODELS
    assert under.doubtful()
    assert len(under.recut({0: Estimator(1.9)}).chunks) == 2
    assert not planned(section("a.py", 100), limits=limits).doubtful()
    assert not planned(section("a.py", 900), limits=limits).doubtful()


def test_each_chunk_goes_to_its_model_and_the_most_important_first():
    work = planned(
        section("docs/a.md"),
        section("b.toml"),
        section("tests/test_c.py", 9),
        section("c.py", 9),
        section("auth.py", 9),
    )

    assert [(batch.id, [chunk.path for chunk in batch.chunks], batch.route) for batch in work.batches] == [
        ("b1", ["c.py", "tests/test_c.py", "auth.py"], Route("main", "code and code of security")),
        ("b2", ["docs/a.md", "b.toml"], Route("small", "documentation and plain configuration")),
    ]


def test_a_call_that_fits_gets_the_room_that_is_left():
    assert judge(20_000, window=64_000, max_tokens=16_000) == 16_000
    assert judge(40_000, window=64_000, max_tokens=32_000) == 24_000


def test_a_call_near_the_window_is_counted_and_one_beyond_is_refused():
    assert judge(62_000, window=64_000, max_tokens=16_000) is None
    assert judge(62_000, window=64_000, max_tokens=16_000, sure=True) == 2_000
    with pytest.raises(PromptTooLarge, match=r"63,500 tokens .* 64,000"):
        judge(63_500, window=64_000, max_tokens=16_000, sure=True)
    with pytest.raises(PromptTooLarge, match="LLM_CONTEXT_WINDOW"):
        judge(80_000, window=64_000, max_tokens=16_000)
    assert judge(64_000 - SMALLEST_ANSWER, window=64_000, max_tokens=16_000, sure=True) == SMALLEST_ANSWER
