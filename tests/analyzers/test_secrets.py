"""What counts as a secret on a line, and what does not."""

import time

import pytest

from reviewer.analyzers.secrets import AddedLine, inspect


def detectors(path: str, text: str, before: str = "") -> list[str]:
    """Rules that speak on the line; none repeats what it found."""
    found = inspect([AddedLine(path, 7, text, before)], limit=10).sightings
    assert all(f.line == 7 and f.path == path for f in found)
    return [f.rule.removeprefix("detect-secrets ") for f in found]


@pytest.mark.parametrize(
    ("path", "text", "rule"),
    [
        ("deploy.yml", "  id: AKIAIOSFODNN7EXAMPLE", "AWSKeyDetector"),
        ("a.go", 'awsKey := "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"', "AWSKeyDetector"),
        ("id_rsa", "-----BEGIN RSA PRIVATE KEY-----", "PrivateKeyDetector"),
        ("a.py", 'DATABASE = "postgres://shop:example-Pumpkin@db/shop"', "BasicAuthDetector"),
        ("a.ts", 'const apiKey = "example-4f7Qz81LmPx0RtVb93";', "KeywordDetector"),
        ("x.sh", 'export DB_PASSWORD="example-Pumpkin-2931"', "KeywordDetector"),
        ("a.py", 'TOKEN = "q9Zk3vX7wP1sLr8mT5yB2nCd6FhJ4gEa"', "Base64HighEntropyString"),
    ],
)
def test_secrets_are_seen(path: str, text: str, rule: str):
    assert detectors(path, text) == [rule]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.py", 'password = read_secret("database")'),
        ("a.yml", "password: ${DB_PASSWORD}"),
        ("a.yml", "password: {{ vault.password }}"),
        ("a.yml", "secretName: shop-certificate"),
        ("a.py", 'password = "changeme"'),
        ("a.py", 'password_label = "Your password, please"'),
        ("a.py", 'secret = "<your-secret>"'),
        ("tests/test_a.py", 'password = "example-Pumpkin-2931"'),
        ("package-lock.json", '"secret": "q9Zk3vX7wP1sLr8mT5yB2nCd6FhJ4gEa"'),
        ("a.py", 'token_sha256 = "q9Zk3vX7wP1sLr8mT5yB2nCd6FhJ4gEa"'),
        ("a.py", 'password = "example-Pumpkin-2931"  # pragma: allowlist secret'),
        ("a.py", ""),
        ("a.min.js", 'x="AKIAIOSFODNN7EXAMPLE";' * 1000),
    ],
)
def test_false_alarms_are_not(path: str, text: str):
    assert detectors(path, text) == []


def test_the_line_above_may_allow_it():
    assert detectors("a.py", 'password = "example-Pumpkin-2931"', "# pragma: allowlist nextline secret") == []


def test_lines_that_are_not_utf8_stop_nothing():
    assert detectors("a.py", 'password = "example-Pumpkin-\udce9\udce8"') == ["KeywordDetector"]


def test_the_secret_is_not_repeated():
    (found,) = inspect([AddedLine("a.py", 1, 'key = "AKIAIOSFODNN7EXAMPLE"')], limit=10).sightings

    assert "AKIA" not in repr(found)


@pytest.mark.parametrize(
    "text", ["secret" * 660, " " * 3990 + "x", "aws" * 1300, "secret=" * 70, "://a:" * 790]
)
def test_a_line_made_to_be_slow_is_not(text: str):
    began = time.monotonic()

    detectors("a.yml", text)

    assert time.monotonic() - began < 1


def test_lines_after_the_time_limit_are_counted():
    lines = [AddedLine("a.py", number, 'key = "AKIAIOSFODNN7EXAMPLE"') for number in range(5)]

    assert inspect(lines, limit=-1) == ((), 5)
