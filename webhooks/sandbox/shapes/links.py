"""The addresses that GitHub puts into everything it shows, and the opaque ids beside its numbers."""

from __future__ import annotations

from webhooks.sandbox.state import Repository, State, User

# What follows the address in the key `<name>_url`; braces are URI templates, which clients fill in
_OF_USER = {
    "followers": "/followers",
    "following": "/following{/other_user}",
    "gists": "/gists{/gist_id}",
    "starred": "/starred{/owner}{/repo}",
    "subscriptions": "/subscriptions",
    "organizations": "/orgs",
    "repos": "/repos",
    "events": "/events{/privacy}",
    "received_events": "/received_events",
}
_OF_REPOSITORY = {
    "archive": "/{archive_format}{/ref}",
    "assignees": "/assignees{/user}",
    "blobs": "/git/blobs{/sha}",
    "branches": "/branches{/branch}",
    "collaborators": "/collaborators{/collaborator}",
    "comments": "/comments{/number}",
    "commits": "/commits{/sha}",
    "compare": "/compare/{base}...{head}",
    "contents": "/contents/{+path}",
    "contributors": "/contributors",
    "deployments": "/deployments",
    "downloads": "/downloads",
    "events": "/events",
    "forks": "/forks",
    "git_commits": "/git/commits{/sha}",
    "git_refs": "/git/refs{/sha}",
    "git_tags": "/git/tags{/sha}",
    "hooks": "/hooks",
    "issue_comment": "/issues/comments{/number}",
    "issue_events": "/issues/events{/number}",
    "issues": "/issues{/number}",
    "keys": "/keys{/key_id}",
    "labels": "/labels{/name}",
    "languages": "/languages",
    "merges": "/merges",
    "milestones": "/milestones{/number}",
    "notifications": "/notifications{?since,all,participating}",
    "pulls": "/pulls{/number}",
    "releases": "/releases{/id}",
    "stargazers": "/stargazers",
    "statuses": "/statuses/{sha}",
    "subscribers": "/subscribers",
    "subscription": "/subscription",
    "tags": "/tags",
    "teams": "/teams",
    "trees": "/git/trees{/sha}",
}


def node_id(kind: str, number: int | str) -> str:
    """The id that GraphQL knows a thing by."""
    return f"{kind}_{number}"


def api_url(state: State, repository: Repository) -> str:
    """The address of a repository for programs."""
    return f"{state.url}/repos/{repository.full_name}"


def page_url(state: State, repository: Repository) -> str:
    """The address of a repository for people."""
    return f"{state.url}/{repository.full_name}"


def pull_url(state: State, repository: Repository, number: int) -> str:
    """The page of a pull request."""
    return f"{page_url(state, repository)}/pull/{number}"


def user_links(state: State, user: User) -> dict[str, str]:
    """The addresses of an account."""
    url = f"{state.url}/users/{user.login}"
    return {
        "url": url,
        "html_url": f"{state.url}/{user.login}",
        "avatar_url": f"{state.url}/avatars/{user.id}",
        **_filled(url, _OF_USER),
    }


def repository_links(state: State, repository: Repository) -> dict[str, str]:
    """The addresses of a repository."""
    url, page = api_url(state, repository), page_url(state, repository)
    return {
        "url": url,
        "html_url": page,
        "clone_url": f"{page}.git",
        "git_url": f"{page}.git".replace("http:", "git:"),
        "ssh_url": f"git@github.sandbox:{repository.full_name}.git",
        "svn_url": page,
        **_filled(url, _OF_REPOSITORY),
    }


def pull_links(state: State, repository: Repository, number: int, head_sha: str) -> dict[str, str]:
    """The addresses of a pull request, named as in its `_links`."""
    url = api_url(state, repository)
    one, issue = f"{url}/pulls/{number}", f"{url}/issues/{number}"
    return {
        "self": one,
        "html": pull_url(state, repository, number),
        "issue": issue,
        "comments": f"{issue}/comments",
        "review_comments": f"{one}/comments",
        "review_comment": f"{url}/pulls/comments{{/number}}",
        "commits": f"{one}/commits",
        "statuses": f"{url}/statuses/{head_sha}",
    }


def hrefs(addresses: dict[str, str]) -> dict[str, dict[str, str]]:
    """Addresses in the form of `_links`."""
    return {name: {"href": address} for name, address in addresses.items()}


def _filled(url: str, paths: dict[str, str]) -> dict[str, str]:
    return {f"{name}_url": url + path for name, path in paths.items()}
