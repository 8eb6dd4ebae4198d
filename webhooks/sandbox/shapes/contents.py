"""Files, blobs and commits as GitHub's JSON: https://docs.github.com/rest/repos/contents."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote

from webhooks.sandbox.git import Commit, FileChange, TreeEntry
from webhooks.sandbox.shapes.links import api_url, node_id, page_url
from webhooks.sandbox.state import Repository, State

SYMLINK = "120000"
"""The mode of a symlink in git's trees."""


def file_shape(state: State, repository: Repository, change: FileChange, head: str) -> dict[str, Any]:
    """A file changed up to the commit `head`; without `patch` where GitHub leaves it out."""
    page, path = page_url(state, repository), quote(change.path)
    shape: dict[str, Any] = {
        "sha": change.sha,
        "filename": change.path,
        "status": change.status,
        "additions": change.additions,
        "deletions": change.deletions,
        "changes": change.additions + change.deletions,
        "blob_url": f"{page}/blob/{head}/{path}",
        "raw_url": f"{page}/raw/{head}/{path}",
        "contents_url": f"{api_url(state, repository)}/contents/{path}?ref={head}",
    }
    if change.previous_path is not None:
        shape["previous_filename"] = change.previous_path
    if change.hunks and change.hunks.count(b"\n") <= state.patch_line_limit:
        shape["patch"] = change.hunks.decode(errors="replace").removesuffix("\n")
    return shape


def commit_shape(state: State, repository: Repository, commit: Commit) -> dict[str, Any]:
    """A commit; its people are no accounts here."""
    git_url = f"{api_url(state, repository)}/git"
    url = f"{api_url(state, repository)}/commits/{commit.sha}"
    people = {
        role: dict(zip(("name", "email", "date"), person, strict=True))
        for role, person in (("author", commit.author), ("committer", commit.committer))
    }
    return {
        "sha": commit.sha,
        "node_id": node_id("C", commit.sha),
        "url": url,
        "html_url": f"{page_url(state, repository)}/commit/{commit.sha}",
        "comments_url": f"{url}/comments",
        "commit": {
            **people,
            "message": commit.message,
            "comment_count": 0,
            "tree": {"sha": commit.tree, "url": f"{git_url}/trees/{commit.tree}"},
            "url": f"{git_url}/commits/{commit.sha}",
        },
        "author": None,
        "committer": None,
        "parents": [{"sha": sha, "url": f"{git_url}/commits/{sha}"} for sha in commit.parents],
    }


def content_shape(
    state: State, repository: Repository, entry: TreeEntry, data: bytes, *, path: str, ref: str
) -> dict[str, Any]:
    """What stands at a path: a file, or a symlink that leads to none."""
    url = f"{api_url(state, repository)}/contents/{quote(path)}?ref={ref}"
    git_url = f"{api_url(state, repository)}/git/blobs/{entry.sha}"
    page = f"{page_url(state, repository)}/blob/{ref}/{quote(path)}"
    shape = {
        "name": entry.name,
        "path": path,
        "sha": entry.sha,
        "size": len(data),
        "url": url,
        "git_url": git_url,
        "html_url": page,
        "download_url": f"{page_url(state, repository)}/raw/{ref}/{quote(path)}",
        "_links": {"self": url, "git": git_url, "html": page},
    }
    if entry.mode == SYMLINK:
        return shape | {"type": "symlink", "target": data.decode(errors="replace")}
    return shape | {"type": "file", **_encoded(data)}


def blob_shape(state: State, repository: Repository, sha: str, data: bytes) -> dict[str, Any]:
    """A blob."""
    return {
        "sha": sha,
        "node_id": node_id("B", sha),
        "size": len(data),
        "url": f"{api_url(state, repository)}/git/blobs/{sha}",
        **_encoded(data),
    }


def _encoded(data: bytes) -> dict[str, str]:
    return {"encoding": "base64", "content": base64.encodebytes(data).decode()}
