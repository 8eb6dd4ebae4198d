"""What operations share: parameters, bodies, headers and ways to show who calls."""

from __future__ import annotations

from typing import Final

from reviewer.core.findings import Severity
from webhooks.openapi.events import events_of_reviews
from webhooks.openapi.schemas import FLAG, STATUSES, TEXT, WHOLE, Schema, array, words

_LABEL: Final[Schema] = {"type": "string", "minLength": 1}
_PRINTABLE: Final = "^[ -~]+$"
_POSITIVE: Final[Schema] = {"type": "integer", "minimum": 1}


def _label(longest: int) -> Schema:
    return {"type": "string", "minLength": 1, "maxLength": longest, "pattern": _PRINTABLE}


def _query(name: str, about: str, schema: Schema, example: object = None) -> Schema:
    made: Schema = {"name": name, "in": "query", "description": about, "schema": schema}
    return made if example is None else {**made, "example": example}


def _header(name: str, about: str, schema: Schema, *, required: bool = False) -> Schema:
    return {"name": name, "in": "header", "description": about, "schema": schema, "required": required}


def _repeatable(name: str, about: str, items: Schema) -> Schema:
    return _query(name, about, {**array(items)}) | {"explode": True}


PARAMETERS: Final[dict[str, Schema]] = {
    "id": {
        "name": "id",
        "in": "path",
        "required": True,
        "description": "of a review",
        "schema": _LABEL,
        "example": "9f0c2a4be1d7",
    },
    "limit": _query("limit", "how many at most", {**_POSITIVE, "maximum": 200, "default": 50}),
    "before": _query("before", "`next` of the page before", TEXT),
    "repository": _query("repository", "owner/name", TEXT, "octo/shop"),
    "pull_request": _query("pull_request", "its number", {**_POSITIVE, "maximum": 2**31 - 1}, 7),
    "review": _query("review", "its id", TEXT),
    "status": _repeatable("status", "one or several", {"type": "string", "enum": list(STATUSES)}),
    "severity": _repeatable("severity", "of findings, one or several", words(Severity)),
    "type": _repeatable(
        "type", "of events, one or several", {"type": "string", "enum": list(events_of_reviews())}
    ),
    "from": _query(
        "from",
        "`start`: all that is kept, first; a `Last-Event-ID` goes before it",
        {"type": "string", "enum": ["start", "now"], "default": "now"},
    ),
    "follow": _query(
        "follow", "`false`: give what is there, and end", {**FLAG, "default": True}, example=False
    ),
    "last_event_id": _query(
        "last_event_id", "as the header `Last-Event-ID`, for clients that can't send it", TEXT
    ),
    "last_event_id_header": _header("Last-Event-ID", "the `id` of the last event that you have", TEXT),
    "posted_repository": _query("repository", "a label for lists", {**_label(200), "default": "posted"}),
    "title": _query("title", "for lists", {**_label(300), "default": "Posted diff"}),
    "head_sha": _query(
        "head_sha",
        "of the commit that the diff leads to",
        {"type": "string", "pattern": "^[0-9a-fA-F]{4,64}$"},
    ),
    "on_disconnect": _query(
        "on_disconnect",
        "what becomes of the review if you leave its stream",
        {"type": "string", "enum": ["cancel", "continue"], "default": "cancel"},
    ),
    "prefer": _header("Prefer", "`respond-async`: answer at once, without a stream", TEXT),
    "idempotency_key": _header("Idempotency-Key", "the same key and body give the same review", _label(255)),
    "path": _query("path", "only this file, with its hunks", TEXT),
    "days": _query("days", "up to today", {**_POSITIVE, "maximum": 366, "default": 30}),
    "github_delivery": _header("X-GitHub-Delivery", "GitHub's id of the delivery", TEXT, required=True),
    "github_event": _header("X-GitHub-Event", "such as `pull_request`", TEXT, required=True),
    "login_failed": _query("failed", "why the last try did not do", TEXT),
    "next": _query("next", "a path of ours to go to afterwards", TEXT),
    "code": _query("code", "GitHub's", TEXT),
    "github_error": _query("error", "GitHub's, instead of a code", TEXT),
    "state": _query("state", "ours, as it went to GitHub", TEXT),
}

EXAMPLE_DIFF: Final = """\
diff --git a/run.py b/run.py
--- a/run.py
+++ b/run.py
@@ -1,2 +1,4 @@
 import subprocess
+def run(command):
+    subprocess.run(command, shell=True)
 print("ready")
"""


def _form(**fields: Schema) -> Schema:
    return {"type": "object", "properties": fields}


_FORM = "application/x-www-form-urlencoded"
_DIFF: Final[Schema] = {"schema": TEXT, "example": EXAMPLE_DIFF}
BODIES: Final[dict[str, Schema]] = {
    "diff": {
        "description": "A unified diff, plain or as gzip, whatever its media type.",
        "required": True,
        "content": dict.fromkeys(("text/x-diff", "text/plain", "application/octet-stream"), _DIFF),
    },
    "delivery": {
        "description": "A webhook payload, signed with the secret; as JSON, or as the form field `payload`.",
        "required": True,
        "content": {
            "application/json": {"schema": {"type": "object"}},
            _FORM: {"schema": _form(payload=TEXT) | {"required": ["payload"]}},
        },
    },
    "login": {"content": {_FORM: {"schema": _form(token=TEXT, next=TEXT)}}},
    "logout": {"content": {_FORM: {"schema": _form(csrf=TEXT)}}},
}

HEADERS: Final[dict[str, Schema]] = {
    "Location": {"description": "where to go on", "schema": TEXT},
    "Preference-Applied": {"description": "`respond-async`", "schema": TEXT},
    "Retry-After": {"description": "seconds to wait", "schema": WHOLE},
    "WWW-Authenticate": {"description": "how to show who calls", "schema": TEXT},
    "X-Tokens-Used": {"description": "tokens that your key has used today (UTC)", "schema": WHOLE},
    "X-Tokens-Remaining": {"description": "tokens that it has left; absent: no bound", "schema": WHOLE},
}

SECURITY: Final[dict[str, Schema]] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An access token."},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "sluice",
        "description": "Set by logging in; over https it is called `__Host-sluice`.",
    },
    "csrf": {
        "type": "apiKey",
        "in": "header",
        "name": "X-CSRF-Token",
        "description": "Goes with the cookie on every change; pages have it in `<meta name=csrf>`. Forms may "
        "send it as the field `csrf`.",
    },
    "signature": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Hub-Signature-256",
        "description": "`sha256=` and the HMAC of the body under the webhook secret.",
    },
}
