"""Deliveries as GitHub's JSON: https://docs.github.com/rest/apps/webhooks."""

from __future__ import annotations

from typing import Any

from webhooks.sandbox.shapes.accounts import time_shape
from webhooks.sandbox.state import DeliveryRecord


def delivery_shape(record: DeliveryRecord) -> dict[str, Any]:
    """A delivery as the app may list it."""
    return {
        "id": record.id,
        "guid": record.guid,
        "delivered_at": time_shape(record.delivered_at),
        "redelivery": record.redelivery,
        "duration": record.duration,
        "status": record.status,
        "status_code": record.status_code,
        "event": record.event,
        "action": record.action,
        "installation_id": record.installation_id,
        "repository_id": record.repository_id,
    }


def whole_delivery_shape(record: DeliveryRecord) -> dict[str, Any]:
    """A delivery with what was sent and answered."""
    return {
        **delivery_shape(record),
        "throttled_at": None,
        "request": {"headers": dict(record.request_headers), "payload": record.payload},
        "response": {"headers": dict(record.response_headers), "payload": record.response_body},
    }
