"""Calls of every route of the sandbox, and most of its refusals; all requests are what GitHub takes."""

from __future__ import annotations

import aiohttp
from yarl import URL

from tests.contracts.caller import Caller
from tests.scenarios.app import commit
from webhooks.github import wire


async def drive_app(caller: Caller) -> None:
    jwt = caller.jwt
    one = f"/app/installations/{caller.repository.installation_id}"
    tokens = f"{one}/access_tokens"
    await caller.call(200, "GET", "/app", token=jwt)
    await caller.call(401, "GET", "/app", token="made up")
    await caller.call(200, "GET", "/app/installations", token=jwt)
    await caller.call(200, "GET", one, token=jwt)
    await caller.call(404, "GET", "/app/installations/7", token=jwt)
    await caller.call(200, "GET", f"{caller.repo}/installation", token=jwt)
    await caller.call(404, "GET", "/repos/octo/none/installation", token=jwt)
    narrow = {"permissions": {"contents": "read"}, "repository_ids": [caller.repository.id]}
    await caller.call(201, "POST", tokens, narrow, token=jwt)
    await caller.call(422, "POST", tokens, {"permissions": {"administration": "write"}}, token=jwt)
    await caller.call(401, "POST", tokens, token="made up")
    await caller.call(404, "POST", "/app/installations/7/access_tokens", token=jwt)
    await caller.call(200, "GET", "/installation/repositories")
    await caller.call(200, "GET", "/rate_limit")


async def drive_hooks(caller: Caller) -> None:
    jwt, log = caller.jwt, "/app/hook/deliveries"
    (delivery, *_) = await caller.call(200, "GET", f"{log}?per_page=50", token=jwt)
    await caller.call(200, "GET", f"{log}/{delivery['id']}", token=jwt)
    await caller.call(202, "POST", f"{log}/{delivery['id']}/attempts", token=jwt)
    await caller.call(404, "GET", f"{log}/7", token=jwt)
    await caller.call(404, "POST", f"{log}/7/attempts", token=jwt)
    await caller.call(422, "GET", f"{log}?cursor=none", token=jwt)


async def drive_repository(caller: Caller) -> None:
    await caller.call(200, "GET", caller.repo)
    await caller.call(404, "GET", "/repos/octo/none")
    for name in ("calc.py", "nested/deep/file.py", "link.py", "astray"):
        path = f"{caller.repo}/contents/{name}?ref={caller.pull.head_ref}"
        shown = await caller.call(200, "GET", path)
        await caller.call(200, "GET", path, accept=wire.RAW_TYPE)
        await caller.call(200, "GET", f"{caller.repo}/git/blobs/{shown['sha']}")
        await caller.call(200, "GET", f"{caller.repo}/git/blobs/{shown['sha']}", accept=wire.RAW_TYPE)
    await caller.call(404, "GET", f"{caller.repo}/contents/no/such.py")
    await caller.call(404, "GET", f"{caller.repo}/git/blobs/{'0' * 40}")
    await caller.call(200, "GET", f"{caller.repo}/compare/main...change")
    await caller.call(200, "GET", f"{caller.repo}/compare/change...main?per_page=1&page=1")
    await caller.call(404, "GET", f"{caller.repo}/compare/main...none/such")


async def drive_pulls(caller: Caller) -> None:
    await caller.call(200, "GET", f"{caller.repo}/pulls")
    await caller.call(200, "GET", caller.one)
    await caller.call(200, "GET", caller.one, accept=wire.DIFF_TYPE)
    await caller.call(404, "GET", f"{caller.repo}/pulls/77")
    for gone in (False, True):
        fork = {"base": "main", "head": "change", "title": "t", "fork": "mona/calc", "labels": ("review me",)}
        pull = await caller.sandbox.open_pull_request(caller.repository, **fork)
        pull.fork_gone = gone
        await caller.sandbox.close(caller.repository, pull, gone)
        await caller.call(200, "GET", f"{caller.repo}/pulls/{pull.number}")
    await caller.call(200, "GET", f"{caller.repo}/pulls?state=all")
    await caller.call(200, "GET", f"{caller.one}/files?per_page=1")
    caller.sandbox.state.diff_line_limit = 1
    await caller.call(406, "GET", caller.one, accept=wire.DIFF_TYPE)
    caller.sandbox.state.diff_line_limit = 20_000
    await caller.call(200, "GET", f"{caller.repo}/pulls?sort=updated&direction=desc&head=octo:change")


async def drive_conversation(caller: Caller) -> None:
    conversation = f"{caller.repo}/issues/{caller.pull.number}/comments"
    made = await caller.call(201, "POST", conversation, {"body": "words"})
    one = f"{caller.repo}/issues/comments/{made['id']}"
    await caller.call(422, "POST", conversation, {"body": ""})
    await caller.call(422, "POST", conversation, {"body": "x" * 65_537})
    await caller.call(200, "GET", conversation)
    await caller.call(200, "GET", one)
    await caller.call(200, "PATCH", one, {"body": "other words"})
    await caller.call(422, "PATCH", one, {"body": "x" * 65_537})
    await caller.call(201, "POST", f"{one}/reactions", {"content": "eyes"})
    await caller.call(200, "POST", f"{one}/reactions", {"content": "eyes"})
    for method in ("GET", "PATCH"):
        body = {"body": "b"} if method == "PATCH" else None
        await caller.call(404, method, f"{caller.repo}/issues/comments/7", body)
    await caller.call(404, "GET", f"{caller.repo}/issues/77/comments")


async def drive_comments(caller: Caller) -> None:
    comments, head = f"{caller.one}/comments", caller.pull.head_sha
    place = {"path": "calc.py", "body": "b", "commit_id": head}
    made = await caller.call(201, "POST", comments, {**place, "line": 5, "side": "RIGHT"})
    one = f"{caller.repo}/pulls/comments/{made['id']}"
    whole = await caller.call(201, "POST", comments, {**place, "subject_type": "file"})
    await caller.call(422, "POST", comments, {**place, "line": 500, "side": "RIGHT"})
    await caller.call(422, "POST", comments, {**place, "line": 5, "path": "none.py"})
    await caller.call(422, "POST", comments, {**place, "line": 5, "commit_id": "0" * 40})
    await caller.call(422, "POST", comments, {**place, "line": 5, "body": "x" * 65_537})
    reply = await caller.call(201, "POST", f"{comments}/{made['id']}/replies", {"body": "b"})
    await caller.call(404, "POST", f"{comments}/{reply['id']}/replies", {"body": "b"})
    await caller.call(200, "GET", comments)
    await caller.call(200, "GET", one)
    await caller.call(200, "PATCH", one, {"body": "other words"})
    await caller.call(201, "POST", f"{one}/reactions", {"content": "+1"})
    await caller.call(204, "DELETE", f"{caller.repo}/pulls/comments/{whole['id']}")
    await caller.call(404, "DELETE", f"{caller.repo}/pulls/comments/{whole['id']}")
    await caller.call(404, "GET", f"{caller.repo}/pulls/comments/{whole['id']}")


async def drive_people(caller: Caller) -> None:
    caller.sandbox.state.collaborators["mona"] = "write"
    caller.sandbox.state.find_user("mona")
    await caller.call(200, "GET", f"{caller.repo}/collaborators/mona/permission")
    await caller.call(404, "GET", f"{caller.repo}/collaborators/nobody/permission")
    await caller.call(200, "POST", "/graphql", {"query": "query { viewer { login } }"})
    await caller.call(200, "GET", f"/repositories/{caller.repository.id}/pulls/{caller.pull.number}")


async def drive_users(caller: Caller) -> None:
    """A login through GitHub, and what is read with it."""
    state, sandbox = caller.sandbox.state, caller.sandbox
    sandbox.let_in(caller.repository, "mona", "write")
    sandbox.sign_in("mona")
    state.callback_urls = ["https://sluice.example/login/github/callback"]
    authorize = f"{caller.url}/login/oauth/authorize?client_id={state.client_id}"
    async with caller.http.get(authorize, allow_redirects=False) as answer:
        code = URL(answer.headers["location"]).query["code"]
    secret = {"client_id": state.client_id, "client_secret": state.client_secret}
    token = caller.url + "/login/oauth/access_token"
    async with caller.http.post(
        token, data={**secret, "code": code}, headers={"Accept": "application/json"}
    ) as answer:
        mine = (await answer.json())["access_token"]
    await caller.call(200, "GET", f"/{caller.repository.full_name}/pull/{caller.pull.number}")
    one = f"/user/installations/{caller.repository.installation_id}/repositories"
    await caller.call(200, "GET", "/user", token=mine)
    await caller.call(200, "GET", "/user/installations?per_page=100", token=mine)
    await caller.call(200, "GET", f"{one}?per_page=100&page=1", token=mine)
    await caller.call(404, "GET", "/user/installations/7/repositories", token=mine)
    await caller.call(401, "GET", "/user", token="made up")
    await caller.call(403, "GET", "/user")
    await caller.call(403, "GET", "/installation/repositories", token=mine)
    await caller.sandbox.suspend("octo")
    listed = await caller.call(200, "GET", "/user/installations", token=mine)
    assert listed["installations"][0]["suspended_at"]
    await caller.call(403, "GET", one, token=mine)
    await caller.sandbox.unsuspend("octo")


async def drive_reviews(caller: Caller) -> None:
    ranged = {
        "path": "calc.py",
        "body": "b",
        "start_line": 4,
        "start_side": "RIGHT",
        "line": 5,
        "side": "RIGHT",
    }
    made = await caller.review(comments=[ranged])
    await caller.review(422, comments=[{"path": "calc.py", "body": "b", "line": 500}])
    await caller.review(422, commit_id="0" * 40)
    one = f"{caller.one}/reviews/{made['id']}"
    await caller.call(200, "GET", f"{caller.one}/reviews")
    await caller.call(200, "GET", one)
    await caller.call(200, "PUT", one, {"body": "other words"})
    await caller.call(422, "PUT", one, {"body": "x" * 65_537})
    await caller.call(404, "GET", f"{caller.one}/reviews/7")
    await caller.call(200, "GET", f"{caller.one}/reviews/{made['id']}/comments")
    await caller.call(200, "GET", f"{caller.one}/comments")
    await caller.call(422, "DELETE", f"{caller.one}/reviews/{made['id']}")
    draft = {"body": "b", "comments": [ranged]}
    pending = await caller.call(200, "POST", f"{caller.one}/reviews", draft)
    await caller.call(200, "GET", f"{caller.one}/reviews/{pending['id']}/comments")
    submit = f"{caller.one}/reviews/{pending['id']}/events"
    await caller.call(200, "POST", submit, {"event": "COMMENT", "body": "b"})
    await caller.call(404, "POST", f"{caller.one}/reviews/7/events", {"event": "COMMENT"})
    pending = await caller.call(200, "POST", f"{caller.one}/reviews", draft)
    await caller.call(200, "DELETE", f"{caller.one}/reviews/{pending['id']}")
    await caller.call(404, "DELETE", f"{caller.one}/reviews/{pending['id']}")


async def drive_checks(caller: Caller) -> None:
    runs, head = f"{caller.repo}/check-runs", caller.pull.head_sha
    annotation = {
        "path": "calc.py",
        "start_line": 1,
        "end_line": 1,
        "annotation_level": "notice",
        "message": "m",
    }
    output = {"title": "t", "summary": "s", "annotations": [annotation]}
    run = await caller.call(201, "POST", runs, {"name": "Sluice", "head_sha": head, "status": "in_progress"})
    await caller.call(422, "POST", runs, {"name": "Sluice", "head_sha": "0" * 40})
    one = f"{runs}/{run['id']}"
    await caller.call(200, "PATCH", one, {"status": "in_progress", "output": output})
    await caller.call(200, "PATCH", one, {"status": "completed", "conclusion": "neutral", "output": output})
    await caller.call(200, "GET", one)
    await caller.call(200, "GET", f"{one}/annotations")
    await caller.call(404, "GET", f"{runs}/7")
    await caller.call(200, "GET", f"{caller.repo}/commits/{head}/check-runs")


async def drive_git(caller: Caller) -> None:
    auth = {"Authorization": aiohttp.encode_basic_auth("x-access-token", caller.token)}
    one = f"{caller.url}/{caller.repository.full_name}.git"
    async with caller.http.get(f"{one}/info/refs?service=git-upload-pack", headers=auth) as answer:
        assert answer.status == 200
    async with caller.http.post(f"{one}/git-upload-pack", data=b"0000", headers=auth) as answer:
        assert answer.status == 200


async def drive_refusals(caller: Caller) -> None:
    """A push that leaves comments outdated, then permissions and the installation taken away."""
    moved = await commit(caller.folder, {"calc.py": "def add(a, b):\n    return b\n"})
    await caller.sandbox.push(caller.repository, caller.pull, moved)
    await caller.call(200, "GET", f"{caller.one}/comments")
    installation = caller.sandbox.state.installations[caller.repository.installation_id]
    installation.permissions.update({"pull_requests": "read", "checks": "read"})
    await caller.review(403)
    body = {"name": "Sluice", "head_sha": caller.pull.head_sha}
    await caller.call(403, "POST", f"{caller.repo}/check-runs", body)
    await caller.call(403, "POST", f"{caller.repo}/issues/1/comments", {"body": "b"})
    installation.suspended = True
    await caller.call(403, "GET", caller.repo)


async def drive_moved(caller: Caller) -> None:
    """Calls by the name that the repository had before."""
    before, body = caller.repo, {"name": "Sluice", "head_sha": caller.pull.head_sha}
    await caller.sandbox.rename(caller.repository, "sums")
    await caller.call(301, "GET", before)
    await caller.call(301, "GET", f"{before}/pulls/1")
    await caller.call(307, "POST", f"{before}/check-runs", body)
    await caller.sandbox.rename(caller.repository, "calc")


DRIVES = [
    drive_app,
    drive_hooks,
    drive_repository,
    drive_pulls,
    drive_conversation,
    drive_comments,
    drive_reviews,
    drive_people,
    drive_users,
    drive_checks,
    drive_git,
    drive_moved,
    drive_refusals,
]
