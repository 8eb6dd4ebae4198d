"""What schemathesis is told of our API beyond its description; it loads this file by itself."""

from __future__ import annotations

from typing import Any

import schemathesis


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:  # noqa: ARG001 - the hook's shape
    """Let no stream go on for ever, nor a posted review be waited for; forms come from a page of ours."""
    case.headers = {**(case.headers or {}), "Sec-Fetch-Site": "same-origin"}
    if "text/event-stream" in str(case.operation.definition.raw.get("responses")):
        if case.method == "GET":
            case.query = {**(case.query or {}), "follow": "false"}
        else:
            case.headers = {**(case.headers or {}), "Prefer": "respond-async"}
