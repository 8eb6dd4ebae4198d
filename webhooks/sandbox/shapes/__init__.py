"""The state as GitHub's JSON. Only keys that GitHub has; https://docs.github.com/rest."""

from webhooks.sandbox.shapes.accounts import (
    app_shape,
    installation_shape,
    installed_shape,
    may_shape,
    permission_shape,
    person_shape,
    time_shape,
    token_shape,
    user_shape,
)
from webhooks.sandbox.shapes.checks import check_shape, named_pulls, suite_shape
from webhooks.sandbox.shapes.contents import blob_shape, commit_shape, content_shape, file_shape
from webhooks.sandbox.shapes.discussions import comment_shape, remark_shape, review_shape, thread_id
from webhooks.sandbox.shapes.hooks import delivery_shape, whole_delivery_shape
from webhooks.sandbox.shapes.pulls import (
    full_repository_shape,
    issue_shape,
    listed_pull_shape,
    pull_shape,
    repository_shape,
)

__all__ = [
    "app_shape",
    "blob_shape",
    "check_shape",
    "comment_shape",
    "commit_shape",
    "content_shape",
    "delivery_shape",
    "file_shape",
    "full_repository_shape",
    "installation_shape",
    "installed_shape",
    "issue_shape",
    "listed_pull_shape",
    "may_shape",
    "named_pulls",
    "permission_shape",
    "person_shape",
    "pull_shape",
    "remark_shape",
    "repository_shape",
    "review_shape",
    "suite_shape",
    "thread_id",
    "time_shape",
    "token_shape",
    "user_shape",
    "whole_delivery_shape",
]
