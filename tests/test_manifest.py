from __future__ import annotations

from pathlib import Path

import pytest
import yaml

MANIFEST = yaml.safe_load((Path(__file__).parents[1] / "app.yml").read_text())

# https://docs.github.com/en/webhooks/webhook-events-and-payloads: the permission behind each event
BEHIND = {
    "pull_request": "pull_requests",
    "pull_request_review": "pull_requests",
    "pull_request_review_comment": "pull_requests",
    "pull_request_review_thread": "pull_requests",
    "issue_comment": "issues",
    "check_run": "checks",
    "check_suite": "checks",
    "repository": "metadata",
}
KEYS = {
    "name", "url", "hook_attributes", "redirect_url", "callback_urls", "setup_url", "description", "public",
    "default_events", "default_permissions", "request_oauth_on_install", "setup_on_update",
}  # fmt: skip


@pytest.mark.parametrize("event", MANIFEST["default_events"])
def test_every_event_is_backed_by_a_permission(event):
    assert BEHIND[event] in MANIFEST["default_permissions"]


def test_only_keys_that_github_takes_are_used():
    assert set(MANIFEST) <= KEYS
    assert set(MANIFEST["default_permissions"].values()) <= {"read", "write"}
