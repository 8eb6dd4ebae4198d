"""detect-secrets: keys, tokens and passwords in any file, line by line.

Its detectors are called one by one. Its own scanners keep their settings in a process-wide cache, may start
processes, and look at suffixes of files on disk; none of that suits text that is only in a diff.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple, Protocol, cast

from reviewer.analyzers.sighting import Sighting, is_test
from reviewer.core.findings import Category, Confidence, Severity

# Tokens with a shape of their own: https://github.com/Yelp/detect-secrets/tree/master/detect_secrets/plugins
# Left out: public IP addresses, which are no secret, and Artifactory's, which fits ordinary words.
_SHAPED = (
    ("aws", "AWSKeyDetector"), ("azure_storage_key", "AzureStorageKeyDetector"),
    ("basic_auth", "BasicAuthDetector"), ("discord", "DiscordBotTokenDetector"),
    ("github_token", "GitHubTokenDetector"),
    ("gitlab_token", "GitLabTokenDetector"), ("jwt", "JwtTokenDetector"), ("mailchimp", "MailchimpDetector"),
    ("npm", "NpmDetector"), ("openai", "OpenAIDetector"), ("private_key", "PrivateKeyDetector"),
    ("pypi_token", "PypiTokenDetector"), ("sendgrid", "SendGridDetector"), ("slack", "SlackDetector"),
    ("square_oauth", "SquareOAuthDetector"), ("stripe", "StripeDetector"),
    ("telegram_token", "TelegramBotTokenDetector"), ("twilio", "TwilioKeyDetector"),
)  # fmt: skip
_KEYWORD = ("keyword", "KeywordDetector")
_RANDOM = ("high_entropy_strings", "Base64HighEntropyString")


class _Meaning(NamedTuple):
    """How much a kind of detector is worth."""

    severity: Severity
    confidence: Confidence


SHAPED = _Meaning(Severity.CRITICAL, Confidence.HIGH)
NAMED = _Meaning(Severity.CRITICAL, Confidence.MEDIUM)
RANDOM = _Meaning(Severity.HIGH, Confidence.LOW)

# The detectors' expressions are not all linear, and lines so long were not typed by a person.
LONGEST_LINE = 4000
_LONGEST_ASSIGNMENT = 500
_NOT_THE_SECRET = re.compile(
    r"""(?ix) (?:secret|passw(?:or)?d|pwd|key)[_-]?
        (?:name|ref|key_?ref|store|manager|field|label|hint|placeholder|policy|reset|length|path|file|url|arn|id)"""
)
_PLACEHOLDER = re.compile(
    r"(?i)^(?:x+|\*+|\.+|change.?me.*|replace.*|your.*|todo.*|none|null|nil|true|false|undefined|password|secret|"
    r"placeholder|dummy|example|string|required|test)$"
)
_SHORTEST = 6
_TELLING = re.compile(
    r"(?i)token|secret|passw|credential|bearer|auth|private|salt|api.?key|signing|access.?key"
)
_DIGEST = re.compile(r"(?i)integrity|sha\d|digest|checksum|fingerprint|md5|commit")


@dataclass(frozen=True, slots=True)
class AddedLine:
    """One line to look at; `before` is the line above it, which may hold an allowance."""

    path: str
    number: int
    text: str
    before: str = ""


class _Found(Protocol):
    """detect-secrets' `PotentialSecret`."""

    type: str
    secret_value: str | None


class _Detector(Protocol):
    """detect-secrets' `BasePlugin`."""

    def analyze_line(self, filename: str, line: str, line_number: int) -> set[_Found]: ...


class _Rules(NamedTuple):
    """detect-secrets, loaded: detectors by class name, and what tells a find from a false alarm."""

    shaped: dict[str, _Detector]
    keyword: _Detector
    random: _Detector
    heuristic: Any
    allowlist: Any
    snippet: Any


class Inspected(NamedTuple):
    """What detect-secrets saw, and how many lines it did not come to."""

    sightings: tuple[Sighting, ...]
    unseen: int


def inspect(lines: Sequence[AddedLine], *, limit: float) -> Inspected:
    """What detect-secrets sees on these lines: at most one sighting a line, the most telling.

    Args:
        lines: in the order to look at them.
        limit: seconds after which the rest is left, since nothing can stop this thread from outside.
    """
    rules = _rules()
    end = time.monotonic() + limit
    sightings: list[Sighting] = []
    for position, line in enumerate(lines):
        if time.monotonic() > end:
            return Inspected(tuple(sightings), len(lines) - position)
        sighting = _inspect_line(rules, line)
        if sighting is not None:
            sightings.append(sighting)
    return Inspected(tuple(sightings), 0)


@cache
def _rules() -> _Rules:
    def load(module: str, name: str) -> _Detector:
        return cast(_Detector, getattr(import_module(f"detect_secrets.plugins.{module}"), name)())

    return _Rules(
        shaped={name: load(module, name) for module, name in _SHAPED},
        keyword=load(*_KEYWORD),
        random=load(*_RANDOM),
        heuristic=import_module("detect_secrets.filters.heuristic"),
        allowlist=import_module("detect_secrets.filters.allowlist"),
        snippet=import_module("detect_secrets.util.code_snippet").CodeSnippet,
    )


def _inspect_line(rules: _Rules, line: AddedLine) -> Sighting | None:
    text = line.text.rstrip()
    if not text or len(text) > LONGEST_LINE or _is_passed_over(rules, line, text):
        return None
    for name, found, meaning in _detect(rules, line, text):
        return Sighting(
            path=line.path,
            line=line.number,
            rule=f"detect-secrets {name}",
            severity=meaning.severity,
            category=Category.SECURITY,
            confidence=meaning.confidence,
            title=_TITLES.get(name) or f"Looks like a secret in the code: {found.type}",
            message=(
                "Whoever can read the repository has it, and deleting the line leaves it in the history. "
                "If it is real, revoke it first; then read it from the environment or a secret store."
            ),
        )
    return None


_TITLES = {
    "KeywordDetector": "A password or key seems to stand in the code",
    "Base64HighEntropyString": "A random-looking string stands where a secret would",
    "BasicAuthDetector": "A URL with a password in it",
    "PrivateKeyDetector": "A private key in the code",
}


def _detect(rules: _Rules, line: AddedLine, text: str) -> Iterator[tuple[str, _Found, _Meaning]]:
    # Detectors and filters hash and encode what they find: lone surrogates would stop them.
    clean = text.encode("utf-8", "replace").decode()
    for name, detector in rules.shaped.items():
        for found in detector.analyze_line(line.path, clean, line.number):
            if not _is_template(rules, found):
                yield name, found, SHAPED
    if not is_test(line.path) and len(clean) <= _LONGEST_ASSIGNMENT:
        yield from _detect_by_name(rules, line, clean)


def _detect_by_name(rules: _Rules, line: AddedLine, clean: str) -> Iterator[tuple[str, _Found, _Meaning]]:
    """What has no shape of its own, so that only the words around it tell."""
    if not _NOT_THE_SECRET.search(clean) and not rules.heuristic.is_indirect_reference(clean):
        for found in rules.keyword.analyze_line(line.path, clean, line.number):
            if not _is_template(rules, found) and not _is_placeholder(rules, found):
                yield _KEYWORD[1], found, NAMED
    if _TELLING.search(clean) and not _DIGEST.search(clean):
        for found in rules.random.analyze_line(line.path, clean, line.number):
            value = found.secret_value or ""
            if not rules.heuristic.is_sequential_string(value) and not _is_template(rules, found):
                yield _RANDOM[1], found, RANDOM


def _is_passed_over(rules: _Rules, line: AddedLine, text: str) -> bool:
    """Lock files, pictures and such, and lines that their author has declared harmless."""
    if rules.heuristic.is_lock_file(line.path) or rules.heuristic.is_non_text_file(line.path):
        return True
    context = rules.snippet([line.before, text], 0, 1)
    return bool(rules.allowlist.is_line_allowlisted(line.path, text, context))


def _is_template(rules: _Rules, found: _Found) -> bool:
    """Text that stands for a secret: `${DB_PASSWORD}`, `<token>`, `$TOKEN`, `****`."""
    value = found.secret_value or ""
    checks = rules.heuristic
    return bool(
        checks.is_templated_secret(value)
        or checks.is_prefixed_with_dollar_sign(value)
        or checks.is_not_alphanumeric_string(value)
        or "{{" in value
        or "${" in value
    )


def _is_placeholder(rules: _Rules, found: _Found) -> bool:
    value = (found.secret_value or "").strip()
    return bool(
        len(value) < _SHORTEST
        or any(character.isspace() for character in value)
        or _PLACEHOLDER.match(value)
        or rules.heuristic.is_sequential_string(value)
        or rules.heuristic.is_potential_uuid(value)
    )
