from __future__ import annotations

import pytest

from reviewer.core import diff
from reviewer.core.batches import gather
from reviewer.core.chunks import Chunk, Measure, split

BODY = "@@ -0,0 +1,2 @@\n+some line of text\n+another line of text\n"


def chunk(path: str) -> Chunk:
    (only,) = split(diff.parse_patch(BODY, path=path), Measure(1_000))
    return only


def travel(paths: list[str], *, per_batch: int) -> list[list[str]]:
    """Which paths travel together when a batch holds about so many."""
    chunks = [chunk(path) for path in paths]
    size = max(each.tokens for each in chunks)
    return [[each.path for each in batch.chunks] for batch in gather(chunks, target=size * per_batch)]


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

    assert [batch.chunks for batch in gather(chunks, target=0)] == [(each,) for each in chunks]


def test_every_chunk_travels_once_and_no_batch_is_over_its_target():
    paths = [
        f"{folder}/{name}.py" for folder in "abc" for name in ("one", "test_one", "two", "three", "test_two")
    ]
    chunks = [chunk(path) for path in paths]
    target = chunks[0].tokens * 4

    batches = gather(chunks, target=target)

    assert sorted(each.path for batch in batches for each in batch.chunks) == sorted(paths)
    assert all(batch.tokens <= target for batch in batches)
    assert len({batch.id for batch in batches}) == len(batches)


def test_where_every_folder_has_such_a_source_a_test_goes_to_that_of_its_own():
    paths = [f"d{n}/{name}" for n in range(80) for name in ("index.js", "index.test.js")]

    for batch in travel(paths, per_batch=2):
        assert len({path.partition("/")[0] for path in batch}) == 1
