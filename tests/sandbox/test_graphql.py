"""Threads in GraphQL, as far as the sandbox knows it."""

from __future__ import annotations

from typing import Any

THREADS = """
query Threads($owner: String!, $name: String!, $number: Int!, $after: String) {
  repository(owner: $owner, name: $name) {
    pullRequest(number: $number) {
      reviewThreads(first: 2, after: $after) {
        nodes { id isResolved isOutdated comments(first: 1) { nodes { databaseId } } }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
}
"""
RESOLVE = "mutation($id: ID!) { resolveReviewThread(input: {threadId: $id}) { thread { id isResolved } } }"


async def ask(hub, query: str, **variables: Any) -> Any:
    answer = await hub.call("POST", "/graphql", {"query": query, "variables": variables})
    assert answer.status == 200
    return answer.body


async def threads(hub, **more: Any) -> Any:
    body = await ask(hub, THREADS, **{"owner": "octo", "name": "calc", "number": 1, **more})
    return body["data"]["repository"]["pullRequest"]["reviewThreads"]


async def test_threads_are_read_page_by_page_with_what_was_asked_for(hub):
    pull = await hub.open()
    assert (await hub.review(pull, 5, 6, 7)).status == 200
    first, second, third = pull.comments.values()
    await hub.sandbox.reply(hub.repository, pull, first, "done", "mona")
    await hub.sandbox.resolve_thread(hub.repository, pull, second, by="mona")

    one = await threads(hub)
    two = await threads(hub, after=one["pageInfo"]["endCursor"])

    assert one["nodes"][0] == {
        "id": f"PRRT_{first.id}",
        "isResolved": False,
        "isOutdated": False,
        "comments": {"nodes": [{"databaseId": first.id}]},
    }
    assert [each["isResolved"] for each in one["nodes"]] == [False, True]
    assert [each["id"] for each in two["nodes"]] == [f"PRRT_{third.id}"]
    assert (one["pageInfo"]["hasNextPage"], two["pageInfo"]["hasNextPage"]) == (True, False)


async def test_resolving_needs_to_write_contents(hub):
    pull = await hub.open()
    comment = await hub.comment_on(pull, 5)

    refused = await ask(hub, RESOLVE, id=f"PRRT_{comment.id}")
    assert refused["data"] == {"resolveReviewThread": None}
    assert refused["errors"][0]["type"] == "FORBIDDEN"
    assert refused["errors"][0]["message"] == "Resource not accessible by integration"
    assert pull.resolved == {}

    hub.state.installations[hub.repository.installation_id].permissions["contents"] = "write"
    done = await ask(hub, RESOLVE, id=f"PRRT_{comment.id}")
    unknown = await ask(hub, RESOLVE, id="PRRT_1")

    thread = {"id": f"PRRT_{comment.id}", "isResolved": True}
    assert done == {"data": {"resolveReviewThread": {"thread": thread}}}
    assert pull.resolved == {comment.id: hub.state.bot}
    assert unknown["errors"][0]["type"] == "NOT_FOUND"


async def test_mutations_are_writes_to_the_limit_and_queries_are_not(hub):
    await hub.open()
    hub.state.writes_per_second = 0

    await threads(hub)
    answer = await hub.call("POST", "/graphql", {"query": RESOLVE, "variables": {"id": "PRRT_1"}})

    assert answer.status == 403
    assert "secondary rate limit" in answer.body["message"]


UNKNOWN = [
    ("{ viewer { login } }", "viewer"),
    ("mutation { mergePullRequest(input: {}) { clientMutationId } }", "mergePullRequest"),
    ("query {", "Expected"),
    ("shout", "Expected one of"),
    (THREADS.replace("isOutdated", "isStale"), "isStale"),
    (THREADS.replace("first: 2, ", ""), "first"),
    (THREADS.replace("first: 2, ", "first: 101, "), "101"),
]


async def test_what_it_does_not_know_is_an_error(hub):
    pull = await hub.open()
    await hub.comment_on(pull, 5)

    for query, words in UNKNOWN:
        body = await ask(hub, query, owner="octo", name="calc", number=1)

        assert words in body["errors"][0]["message"]
        assert not body.get("data"), words


async def test_a_foreign_repository_is_not_found(hub):
    body = await ask(hub, THREADS, owner="octo", name="other", number=1)

    assert body["data"] == {"repository": None}
    assert body["errors"][0]["type"] == "NOT_FOUND"
