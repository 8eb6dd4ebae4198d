"""Faults of GitHub's that a test asks for: refusals, lost answers, cut connections, limits in every guise."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_LIMITS = "https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api"
SECONDARY: Mapping[str, str] = {
    "message": "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
    "documentation_url": f"{_LIMITS}#about-secondary-rate-limits",
}


@dataclass(slots=True)
class Fault:
    """Answer `status` to the next `times` calls that match, instead of acting, or `after` having acted.

    With `drop` there is no answer at all, but a cut connection. `delay` are seconds before anything happens.
    """

    method: str
    path_regex: str
    status: int = 502
    body: object = None
    times: int = 1
    after: bool = False
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    drop: bool = False
    only_late: bool = False
    """Nothing goes wrong but the time."""
    delay: float = 0.0

    def matches(self, method: str, path: str) -> bool:
        """Whether this fault still has a turn left and is meant for this call."""
        return (
            self.times > 0 and self.method in ("*", method) and re.search(self.path_regex, path) is not None
        )


def late(method: str, path_regex: str, seconds: float, *, times: int = 1) -> Fault:
    """An answer that takes its time and is good."""
    return Fault(method, path_regex, times=times, delay=seconds, only_late=True)


def cut(method: str, path_regex: str, *, after: bool = False, times: int = 1) -> Fault:
    """A connection that ends without an answer."""
    return Fault(method, path_regex, drop=True, after=after, times=times)


def secondary_limit(method: str, path_regex: str, *, retry_after: int | None = None, times: int = 1) -> Fault:
    """The secondary limit; GitHub names a wait or none."""
    return Fault(method, path_regex, 403, SECONDARY, times, headers=_wait(retry_after))


def too_many_requests(
    method: str, path_regex: str, *, retry_after: int | None = None, times: int = 1
) -> Fault:
    """The secondary limit as 429."""
    return Fault(method, path_regex, 429, SECONDARY, times, headers=_wait(retry_after))


def primary_limit(method: str, path_regex: str, *, resets_at: int, times: int = 1) -> Fault:
    """The hourly limit, used up until a Unix time in seconds."""
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(resets_at)}
    body = {"message": "API rate limit exceeded for installation.", "documentation_url": _LIMITS}
    return Fault(method, path_regex, 403, body, times, headers=headers)


def abuse(method: str, path_regex: str, *, times: int = 1) -> Fault:
    """A limit disguised as a refusal of the content: octokit/plugin-throttling.js#775."""
    error = {"resource": "PullRequestReview", "code": "abuse", "field": "base"}
    return Fault(method, path_regex, 422, {"message": "Validation Failed", "errors": [error]}, times)


def too_quickly(method: str, path_regex: str, *, times: int = 1) -> Fault:
    """Another one: src-d/lookout#264."""
    words = "was submitted too quickly"
    error = {"resource": "PullRequestReview", "code": "unprocessable", "field": "data", "message": words}
    return Fault(method, path_regex, 422, {"message": "Validation Failed", "errors": [error]}, times)


def _wait(seconds: int | None) -> dict[str, str]:
    return {} if seconds is None else {"retry-after": str(seconds)}
