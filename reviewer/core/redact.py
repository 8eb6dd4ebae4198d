"""Secrets and personal data out of text that leaves the house.

A model repeats what it reads; a finding about a leaked key must not leak it again.
"""

from __future__ import annotations

import re

_SECRETS: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "private key",
        re.compile(
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL
        ),
    ),
    # GitHub recommends no length assumptions: https://docs.github.com/en/authentication (token formats)
    (
        "GitHub token",
        re.compile(r"\bghs_[A-Za-z0-9._-]{20,}|\bgh[pour]_[A-Za-z0-9]{20,}|\bgithub_pat_\w{20,}"),
    ),
    ("Anthropic key", re.compile(r"\bsk-ant-[A-Za-z0-9_-]{8,}")),
    ("API key", re.compile(r"\b(?:sk|rk|pk)[-_](?:live|test|proj)[-_][A-Za-z0-9_-]{16,}")),
    ("AWS access key", re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")),
    ("Google key", re.compile(r"\bAIza[0-9A-Za-z_-]{35}\b")),
    ("Slack token", re.compile(r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}")),
    ("JSON web token", re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}")),
    ("password", re.compile(r"(?<=://)[^\s:/@]+:[^\s:/@]+(?=@)")),
)
_ASSIGNED = re.compile(
    r"""(?ix) (\b[\w-]*(?:password|passwd|pwd|secret|token|api[_-]?key|access[_-]?key)[\w-]*["']?
        \s*(?:=|:|=>)\s*) (["'`])([^"'`\s]{8,})\2"""
)
_EMAIL = re.compile(r"\b[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}\b")
_CARD = re.compile(r"\b(?:\d[ -]?){12,18}\d\b")


def redact(text: str) -> str:
    """`text` with secrets, e-mail addresses and card numbers replaced by `[redacted …]`."""
    for name, pattern in _SECRETS:
        text = pattern.sub(f"[redacted {name}]", text)
    text = _ASSIGNED.sub(r"\1\2[redacted]\2", text)
    text = _EMAIL.sub("[redacted e-mail]", text)
    return _CARD.sub(lambda match: "[redacted card number]" if _luhn(match[0]) else match[0], text)


def _luhn(number: str) -> bool:
    """The check sum that card numbers carry, and few other numbers do."""
    digits = [int(character) for character in reversed(number) if character.isdigit()]
    doubled = (digit * 2 - 9 * (digit > 4) for digit in digits[1::2])
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0
