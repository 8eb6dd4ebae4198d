"""Signed deliveries to the app under test, recorded so that they can be asked for again."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import aiohttp

from webhooks.sandbox.state import FORM, DeliveryRecord, State

_ALWAYS = frozenset({"installation", "installation_repositories", "github_app_authorization"})
_UNREACHABLE = "failed to connect to host"


async def deliver(
    state: State, event: str, payload: dict[str, Any], *, guid: str | None = None
) -> DeliveryRecord:
    """Sign a payload and post it to the app; what came of it is in the record.

    `guid` names an earlier delivery of the same event. To an installation that is suspended or gone nothing
    is delivered, except the news of that; and a person's own news are of no installation.
    """
    raw = json.dumps(payload).encode()
    body = urlencode({"payload": raw.decode()}).encode() if state.content_type == FORM else raw
    record = _record(state, event, payload, body, guid=guid)
    installation = state.installations.get(record.installation_id or 0)
    if event not in _ALWAYS and (installation is None or installation.suspended):
        record.status = "not delivered: no active installation"
        return record
    await _send(state, record)
    return record


def _record(
    state: State, event: str, payload: dict[str, Any], body: bytes, *, guid: str | None
) -> DeliveryRecord:
    signature = hmac.new(state.webhook_secret.encode(), body, hashlib.sha256).hexdigest()
    guid_ = guid or str(uuid4())
    return DeliveryRecord(
        id=state.next_id(),
        guid=guid_,
        event=event,
        action=payload.get("action"),
        installation_id=payload.get("installation", {}).get("id"),
        repository_id=payload.get("repository", {}).get("id"),
        delivered_at=state.clock(),
        redelivery=guid is not None,
        request_headers={
            "Content-Type": state.content_type,
            "User-Agent": "GitHub-Hookshot/sandbox",
            "X-GitHub-Delivery": guid_,
            "X-GitHub-Event": event,
            "X-GitHub-Hook-ID": "1",
            "X-GitHub-Hook-Installation-Target-ID": str(state.app_id),
            "X-GitHub-Hook-Installation-Target-Type": "integration",
            "X-Hub-Signature-256": f"sha256={signature}",
        },
        request_body=body,
        payload=payload,
    )


async def redeliver(state: State, record: DeliveryRecord) -> DeliveryRecord:
    """Deliver once more, with the same id; a redelivery is never played with."""
    again = _record(state, record.event, dict(record.payload), record.request_body, guid=record.guid)
    again.request_headers = record.request_headers
    state.deliveries.append(again)
    await post(state, again)
    return again


async def _send(state: State, record: DeliveryRecord) -> None:
    state.deliveries.append(record)
    if state.delivery_play is None:
        await post(state, record)
    else:
        await state.delivery_play.carry(state, record)


async def post(state: State, record: DeliveryRecord) -> None:
    """Post a delivery to the app, and write down what it answered."""
    if state.webhook_url is None:
        record.status = "no webhook URL"
        return
    if state.webhook_down:
        record.status_code = state.down_status
        record.status = _invalid(state.down_status) if state.down_status else _UNREACHABLE
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
            record.response_headers = dict(answer.headers)
            record.status_code = answer.status
            record.status = "OK" if answer.ok else _invalid(answer.status)
    except TimeoutError:
        record.status = "timed out"
    except aiohttp.ClientError:
        record.status = _UNREACHABLE
    record.duration = time.monotonic() - began


def _invalid(status: int) -> str:
    return f"Invalid HTTP Response: {status}"
