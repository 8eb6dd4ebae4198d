"""Check runs: what GitHub takes, refuses, lists and reopens."""

from __future__ import annotations

from typing import Any

import pytest

NOTE: dict[str, Any] = {
    "path": "calc.py",
    "start_line": 5,
    "end_line": 5,
    "annotation_level": "warning",
    "message": "minus",
}
BUTTON = {"label": "x" * 20, "description": "x" * 40, "identifier": "x" * 20}


@pytest.fixture
async def pull(hub):
    return await hub.open()


async def create(hub, pull, **more):
    return await hub.call("POST", "check-runs", {"name": "Sluice", "head_sha": pull.head_sha, **more})


def output(*annotations: Any) -> dict[str, Any]:
    return {"title": "t", "summary": "s", "annotations": list(annotations)}


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"actions": [BUTTON] * 4}, "No more than 3"),
    ({"actions": [{**BUTTON, "label": "x" * 21}]}, "'label', only 20"),
    ({"actions": [{**BUTTON, "description": "x" * 41}]}, "'description', only 40"),
    ({"actions": [{**BUTTON, "identifier": "x" * 21}]}, "'identifier', only 20"),
    ({"actions": [{"label": "l", "identifier": "i"}]}, "'description' wasn't supplied"),
    ({"output": output(*[NOTE] * 51)}, "No more than 50"),
    *(
        ({"output": output({k: v for k, v in NOTE.items() if k != name})}, f"{name!r} wasn't")
        for name in NOTE
    ),
    ({"output": output({**NOTE, "annotation_level": "error"})}, "annotation_level"),
    ({"output": output({**NOTE, "start_line": "5"})}, "start_line"),
    ({"output": output({**NOTE, "end_line": 6, "start_column": 1})}, "columns"),
    ({"output": output({**NOTE, "title": "x" * 256})}, "'title', only 255"),
]


async def test_what_is_out_of_bounds_is_refused_whole(hub, pull):
    for more, words in REFUSED:
        answer = await create(hub, pull, **more)

        assert (answer.status, hub.repository.check_runs) == (422, {}), words
        assert words in answer.body["message"]


async def test_annotations_add_up_and_a_refused_update_changes_nothing(hub, pull):
    check = (await create(hub, pull, output=output(*[NOTE] * 50), actions=[BUTTON])).body
    way = f"check-runs/{check['id']}"

    added = await hub.call("PATCH", way, {"output": output(NOTE)})
    refused = await hub.call("PATCH", way, {"output": {**output(NOTE), "title": "new"}, "actions": [1]})

    assert added.body["output"]["annotations_count"] == 51
    assert refused.status == 422
    shown = (await hub.call("GET", way)).body
    assert (shown["output"]["title"], shown["output"]["annotations_count"]) == ("t", 51)
    assert len((await hub.call("GET", f"{way}/annotations?per_page=100")).body) == 51


async def test_a_completed_run_is_reopened_by_saying_so(hub, pull):
    check = (await create(hub, pull, conclusion="neutral")).body
    assert (check["status"], check["completed_at"] is None) == ("completed", False)

    again = (await hub.call("PATCH", f"check-runs/{check['id']}", {"status": "in_progress"})).body

    assert (again["status"], again["conclusion"], again["completed_at"]) == ("in_progress", None, None)


async def test_a_commit_lists_the_latest_run_of_each_name_or_all(hub, pull):
    for name in ("Sluice", "Sluice", "Other"):
        await create(hub, pull, name=name)
    first, second, other = hub.repository.check_runs

    async def listed(query: str) -> tuple[int, list[int]]:
        body = (await hub.call("GET", f"commits/{pull.head_sha}/check-runs{query}")).body
        return body["total_count"], [each["id"] for each in body["check_runs"]]

    assert await listed("") == (2, [other, second])
    assert await listed("?filter=all") == (3, [other, second, first])
    assert await listed("?check_name=Sluice") == (1, [second])
    assert await listed("?filter=all&per_page=2&page=2") == (3, [first])
    assert (await hub.call("GET", "commits/change/check-runs")).body["total_count"] == 2
