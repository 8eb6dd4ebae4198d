from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reviewer.core import diff
from reviewer.core.batches import Batch, gather, halve, importance
from reviewer.core.chunks import TRIMMED, Chunk, Measure, Surroundings, split
from reviewer.core.routing import Route
from reviewer.core.tokens import Estimator
from tests.core.test_diff_against_git import (
    assert_shown_lines_stand_in_the_tree,
    changed,
    edits,
    read,
    shared_repository,
)

BODY = "@@ -0,0 +1,2 @@\n+some line of text\n+another line of text\n"


def chunk(path: str) -> Chunk:
    (only,) = split(diff.parse_patch(BODY, path=path), Measure(1_000))
    return only


def anywhere(_: Chunk) -> Route:
    return Route("model", "code")


def travel(paths: list[str], *, per_batch: int) -> list[list[str]]:
    """Which paths travel together when a batch holds about so many."""
    chunks = [chunk(path) for path in paths]
    size = max(each.tokens for each in chunks)
    batches = gather(chunks, target=size * per_batch, route=anywhere)
    return [[each.path for each in batch.chunks] for batch in batches]


@pytest.mark.parametrize(
    ("source", "test"),
    [
        ("shop/orders.py", "tests/shop/test_orders.py"),
        ("src/cart.ts", "src/cart.test.tsx"),
        ("src/cart.js", "spec/cart_spec.js"),
        ("pkg/stock.go", "pkg/stock_test.go"),
        ("main/java/Cart.java", "test/java/CartTest.java"),
        ("main/java/Cart.java", "test/kotlin/CartIT.kt"),
        ("Src/Order.cs", "Tests/OrderTests.cs"),
        ("lib/cart.rb", "spec/cart_spec.rb"),
        ("src/parse.c", "test/test_parse.c"),
    ],
)
def test_a_test_travels_beside_its_source_wherever_it_lies(source, test):
    extension = source.rpartition(".")[2]
    paths = [f"a/one.{extension}", source, f"b/two.{extension}", f"c/three.{extension}", test]

    assert any({source, test} <= set(batch) for batch in travel(paths, per_batch=2))


def test_of_two_sources_with_the_same_name_the_nearer_one_gets_the_test():
    paths = [
        "billing/models.py",
        "shop/models.py",
        "tests/shop/test_models.py",
        "tests/billing/test_models.py",
    ]

    assert travel(paths, per_batch=2) == [
        ["billing/models.py", "tests/billing/test_models.py"],
        ["shop/models.py", "tests/shop/test_models.py"],
    ]


def test_files_of_a_folder_travel_together():
    paths = ["a/one.py", "b/two.py", "a/three.py", "b/four.py"]

    assert travel(paths, per_batch=2) == [["a/one.py", "a/three.py"], ["b/two.py", "b/four.py"]]


def test_a_source_and_its_test_are_not_torn_apart_where_one_batch_holds_them():
    paths = ["a/one.py", "a/two.py", "a/test_two.py"]

    assert travel(paths, per_batch=2) == [["a/one.py"], ["a/two.py", "a/test_two.py"]]


def test_a_test_of_another_language_is_no_relation():
    assert travel(["a/cart.py", "b/x.py", "c/cart.test.ts"], per_batch=1) == [
        ["a/cart.py"],
        ["b/x.py"],
        ["c/cart.test.ts"],
    ]


@pytest.mark.parametrize(
    "path", ["latest.py", "contest.go", "protest.js", "Fastest.java", "tests.py", "spec.rb"]
)
def test_names_that_only_end_like_a_tests_are_no_tests(path):
    assert len(travel([path, f"x/{path}"], per_batch=2)) == 1


def test_turned_off_every_chunk_travels_alone_in_the_order_of_the_diff():
    chunks = [chunk(path) for path in ("b/x.py", "a/x.py", "b/test_x.py")]

    assert [batch.chunks for batch in gather(chunks, target=0, route=anywhere)] == [
        (each,) for each in chunks
    ]


def test_every_chunk_travels_once_and_no_batch_is_over_its_target():
    paths = [
        f"{folder}/{name}.py" for folder in "abc" for name in ("one", "test_one", "two", "three", "test_two")
    ]
    chunks = [chunk(path) for path in paths]
    target = chunks[0].tokens * 4

    batches = gather(chunks, target=target, route=anywhere)

    assert sorted(each.path for batch in batches for each in batch.chunks) == sorted(paths)
    assert all(batch.tokens <= target for batch in batches)
    assert len({batch.id for batch in batches}) == len(batches)


def test_where_every_folder_has_such_a_source_a_test_goes_to_that_of_its_own():
    paths = [f"d{n}/{name}" for n in range(80) for name in ("index.js", "index.test.js")]

    for batch in travel(paths, per_batch=2):
        assert len({path.partition("/")[0] for path in batch}) == 1


def test_chunks_travel_together_only_if_they_go_to_the_same_model():
    chunks = [chunk(path) for path in ("a/one.py", "a/two.md", "a/three.py", "a/four.txt")]

    def by_kind(each: Chunk) -> Route:
        return Route("main", "code") if each.path.endswith(".py") else Route("small", each.path[-3:])

    first, second = gather(chunks, target=10_000, route=by_kind)

    assert [each.path for each in first.chunks] == ["a/one.py", "a/three.py"]
    assert [each.path for each in second.chunks] == ["a/two.md", "a/four.txt"]
    assert (first.route, second.route) == (Route("main", "code"), Route("small", ".md and txt"))


def test_the_reasons_of_a_batch_are_each_named_once():
    reasons = iter(["code", "tiny edit", "code", "comments only"])

    (batch,) = gather(
        [chunk(f"{name}.py") for name in "abcd"], target=10_000, route=lambda _: Route("m", next(reasons))
    )

    assert batch.route == Route("m", "code, tiny edit and comments only")


BY_IMPORTANCE = [
    ["src/auth/session.py", "lib/crypto.ts"],
    ["shop/orders.py", "Dockerfile", ".github/workflows/ci.yml", "db/schema.sql"],
    [
        "tests/test_orders.py",
        "shop/cart.test.ts",
        "tests/auth/test_login.py",
        "pkg/stock_test.go",
        "tests/data.py",
    ],
    ["config/a.yaml", ".editorconfig", "tests/data.json"],
    ["README.md", "docs/security.rst", "LICENSE"],
]


def test_security_and_code_are_more_important_than_tests_configuration_and_documentation():
    ranks = [{importance(chunk(path)) for path in paths} for paths in BY_IMPORTANCE]

    assert [len(rank) for rank in ranks] == [1] * 5
    assert sorted(ranks, key=max, reverse=True) == ranks


def test_more_lines_make_a_chunk_more_important_but_never_than_one_of_a_better_kind():
    big = "@@ -0,0 +1,500 @@\n" + "+some line of text\n" * 500
    (docs,) = split(diff.parse_patch(big, path="a.md"), Measure(100_000))
    (code,) = split(diff.parse_patch(big, path="a.py"), Measure(100_000))

    assert importance(chunk("b.md")) < importance(docs) < importance(chunk("c.toml"))
    assert importance(chunk("b.py")) < importance(code)


def test_batches_come_in_order_of_importance_and_then_of_the_diff():
    paths = ["README.md", "b.py", "conf.toml", "a.py", "test_z.py", "auth.py", "docs/x.md"]

    batches = gather([chunk(path) for path in paths], target=0, route=anywhere)

    assert [(batch.id, batch.chunks[0].path) for batch in batches] == [
        ("b1", "auth.py"),
        ("b2", "b.py"),
        ("b3", "a.py"),
        ("b4", "test_z.py"),
        ("b5", "conf.toml"),
        ("b6", "README.md"),
        ("b7", "docs/x.md"),
    ]


def test_a_batch_is_as_important_as_the_most_important_of_its_chunks():
    paths = ["a/README.md", "b/one.toml", "a/login.py"]
    size = chunk("a/README.md").tokens

    batches = gather([chunk(path) for path in paths], target=size * 2 + 5, route=anywhere)

    assert [[each.path for each in batch.chunks] for batch in batches] == [
        ["a/README.md", "a/login.py"],
        ["b/one.toml"],
    ]


def batch_of(*chunks: Chunk) -> Batch:
    return Batch("b7", chunks, Route("model", "code"))


def halved(*chunks: Chunk) -> tuple[Batch, Batch]:
    halves = halve(batch_of(*chunks), Measure(1_000))
    assert halves is not None
    return halves


def of(rows: str, path: str = "a.py", *, at: int = 1) -> Chunk:
    kept = [row for row in rows.removesuffix("\n").split("\n") if row[:1] != "\\"]
    old, new = (sum(row[:1] != mark for row in kept) for mark in "+-")
    body = f"@@ -{at if old else at - 1},{old} +{at if new else at - 1},{new} @@ def f\n{rows}"
    (only,) = split(diff.parse_patch(body, path=path), Measure(100_000))
    return only


def test_several_chunks_are_halved_by_their_tokens_in_order():
    small, big = chunk("a.py"), of("+some line of text\n" * 20, "z.py")

    first, second = halved(small, chunk("b.py"), chunk("c.py"), big)

    assert [[each.path for each in half.chunks] for half in (first, second)] == [
        ["a.py", "b.py", "c.py"],
        ["z.py"],
    ]
    assert (first.id, second.id) == ("b7.1", "b7.2")
    assert first.route == second.route == Route("model", "code")


def test_chunks_of_one_path_stay_together_when_halved():
    parts = [replace(chunk("a.py"), id=str(part), part=part, parts=3) for part in (1, 2, 3)]

    assert [len(half.chunks) for half in halved(*parts, chunk("b.py"))] == [3, 1]
    assert [len(half.chunks) for half in halved(chunk("b.py"), *parts)] == [1, 3]
    assert [len(half.chunks) for half in halved(*parts, parts[0])] == [2, 2]
    assert [len(half.chunks) for half in halved(parts[0], chunk("b.py"), parts[1], chunk("c.py"))] == [3, 1]


def test_a_chunk_of_several_pieces_is_halved_between_them_and_stays_the_same_chunk():
    body = "".join(f"@@ -{n}0 +{n}0 @@\n-some line {n}\n+some other line {n}\n" for n in range(1, 5))
    (whole,) = split(diff.parse_patch(body, path="a.py"), Measure(1_000))

    halves = [half.chunks[0] for half in halved(whole)]

    assert [half.pieces for half in halves] == [whole.pieces[:2], whole.pieces[2:]]
    assert {(half.id, half.path, half.part, half.parts) for half in halves} == {(whole.id, "a.py", 1, 1)}
    assert [half.tokens for half in halves] == [Measure(1_000).tokens("a.py", half.pieces) for half in halves]


def test_a_hunk_is_halved_at_a_blank_line_near_its_middle_and_repeats_lines_as_context():
    rows = "".join(f"+line {n}\n" for n in range(5)) + "+\n" + "".join(f"+line {n}\n" for n in range(5, 9))

    first, second = (half.chunks[0] for half in halved(of(rows, at=7)))

    assert first.text().split("\n")[-1].rstrip() == "R12    +"
    assert second.text().split("\n")[:5] == [
        "@@ -6,0 +13,4 @@ def f",
        "R10     line 3",
        "R11     line 4",
        "R12     ",
        "R13    +line 5",
    ]


@pytest.mark.parametrize(
    "rows", [" x\n" * 50 + "+a\n+b\n", "-a\n+b\n" + " x\n" * 50, "+a\n" + " x\n" * 50 + "-b\n"]
)
def test_both_halves_of_a_hunk_hold_changed_lines(rows):
    first, second = (half.chunks[0] for half in halved(of(rows)))

    assert (first.changed_lines, second.changed_lines) == (1, 1)


def test_what_was_repeated_above_a_hunk_is_repeated_above_its_first_half():
    body = "@@ -0,0 +1,400 @@\n" + "".join(f"+line {n}\n" for n in range(400))
    _, cut, *_ = split(diff.parse_patch(body, path="a.py"), Measure(1_000))

    (first,), (second,) = (half.chunks[0].pieces for half in halved(cut))

    assert first.lead == cut.pieces[0].lead
    assert first.lead[-1] == f"line {first.hunk.new_start - 2}"
    assert second.lead[-1] == f"line {second.hunk.new_start - 2}"


@pytest.mark.parametrize("rows", ["+a\n", "-a\n", " x\n x\n+a\n x\n", "+a\n\\ No newline at end of file\n"])
def test_a_single_changed_line_can_not_be_halved(rows):
    assert halve(batch_of(of(rows)), Measure(1_000)) is None


def test_nothing_can_not_be_halved():
    assert halve(batch_of(), Measure(1_000)) is None


def test_what_surrounds_a_hunk_stays_with_its_first_half_only():
    whole = of("+some line\n" * 8, at=20)
    (piece,) = whole.pieces
    around = Surroundings("f", ((3, "def f():"),))

    first, second = halved(replace(whole, pieces=(replace(piece, surroundings=around),)))

    assert first.chunks[0].pieces[0].surroundings == around
    assert second.chunks[0].pieces[0].surroundings is None


@pytest.mark.parametrize(("texts", "trimmed"), [(("x" * 9_000, "a"), [1, 0]), (("a", "x" * 9_000), [0, 1])])
def test_trimmed_lines_are_counted_in_the_half_that_holds_them(texts, trimmed):
    body = "@@ -0,0 +1,2 @@\n" + "".join(f"+{text}\n" for text in texts)
    (whole,) = split(diff.parse_patch(body, path="a.py"), Measure(500))
    assert whole.trimmed == 1

    halves = [half.chunks[0] for half in halved(whole)]

    assert [half.trimmed for half in halves] == trimmed
    assert [len(TRIMMED.findall(half.text().split("\n")[-1])) for half in halves] == trimmed


def grounds(batch: Batch, measure: Measure) -> Iterator[Chunk]:
    """What is left of a batch when it is halved until that can't be done."""
    halves = halve(batch, measure)
    if halves is None:
        yield from batch.chunks
        return
    assert all(half.chunks for half in halves)
    for half in halves:
        yield from grounds(half, measure)


@settings(max_examples=60)
@given(edits(), st.sampled_from([(), ("-U0",), ("-U25",)]), st.sampled_from([200, 400, 5_000]))
def test_halved_to_the_ground_each_changed_line_of_a_chunk_is_there_once(trees, options, limit):
    before, after = trees
    measure = Measure(limit)
    for file in read(shared_repository(), before, after, *options).files:
        for whole in split(file, measure):
            ground = list(grounds(batch_of(whole), measure))
            assert changed(part.hunks for part in ground) == changed([whole.hunks])
            assert {(part.id, part.part, part.parts, part.path) for part in ground} == {
                (whole.id, whole.part, whole.parts, whole.path)
            }
            assert sum(part.trimmed for part in ground) == whole.trimmed
            for part in ground:
                assert Estimator().estimate(diff.readable(part.text())) <= part.tokens
                assert len(part.pieces) == 1
                assert_shown_lines_stand_in_the_tree(part, after)
