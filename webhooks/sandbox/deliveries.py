"""Signed deliveries to the app under test, recorded so that they can be asked for again."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import Any
from uuid import uuid4

import aiohttp

from webhooks.sandbox.shapes import installation_shape, pull_shape, repository_shape, user_shape
from webhooks.sandbox.state import DeliveryRecord, PullRequest, Repository, State


def pull_request_payload(
    state: State, repository: Repository, pull: PullRequest, action: str, **extra: Any
) -> dict[str, Any]:
    """The payload of a `pull_request` event."""
    return {
        "action": action,
        "number": pull.number,
        "pull_request": pull_shape(state, repository, pull),
        "repository": repository_shape(state, repository),
        "installation": installation_shape(repository),
        "sender": user_shape(state, pull.user),
        **extra,
    }


async def deliver(
    state: State, event: str, payload: dict[str, Any], *, guid: str | None = None
) -> DeliveryRecord:
    """Sign a payload and post it to the app; what came of it is in the record."""
    body = json.dumps(payload).encode()
    signature = hmac.new(state.webhook_secret.encode(), body, hashlib.sha256).hexdigest()
    record = DeliveryRecord(
        id=state.next_id(),
        guid=guid or str(uuid4()),
        event=event,
        action=payload.get("action"),
        installation_id=payload.get("installation", {}).get("id"),
        repository_id=payload.get("repository", {}).get("id"),
        delivered_at=state.clock(),
        redelivery=guid is not None,
        request_headers={},
        request_body=body,
    )
    record.request_headers = {
        "Content-Type": "application/json",
        "User-Agent": "GitHub-Hookshot/sandbox",
        "X-GitHub-Delivery": record.guid,
        "X-GitHub-Event": event,
        "X-GitHub-Hook-ID": "1",
        "X-GitHub-Hook-Installation-Target-ID": str(state.app_id),
        "X-GitHub-Hook-Installation-Target-Type": "integration",
        "X-Hub-Signature-256": f"sha256={signature}",
    }
    state.deliveries.append(record)
    await _post(state, record)
    return record


async def redeliver(state: State, record: DeliveryRecord) -> DeliveryRecord:
    """Deliver once more, with the same id."""
    return await deliver(state, record.event, json.loads(record.request_body), guid=record.guid)


async def _post(state: State, record: DeliveryRecord) -> None:
    if state.webhook_url is None:
        record.status = "no webhook URL"
        return
    began = time.monotonic()
    timeout = aiohttp.ClientTimeout(total=state.delivery_timeout)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(
                state.webhook_url, data=record.request_body, headers=record.request_headers
            ) as answer,
        ):
            record.response_body = (await answer.read()).decode(errors="replace")
            record.status_code = answer.status
            record.status = "OK" if answer.ok else f"Invalid HTTP Response: {answer.status}"
    except (aiohttp.ClientError, TimeoutError) as error:
        record.status = type(error).__name__
    record.duration = time.monotonic() - began
