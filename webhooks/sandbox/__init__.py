"""A stand-in GitHub on loopback: real git underneath, real HTTP above, GitHub's semantics between."""

from webhooks.sandbox import faults
from webhooks.sandbox.play import Sandbox
from webhooks.sandbox.plays import Mischief
from webhooks.sandbox.server import running
from webhooks.sandbox.state import Fault, PullRequest, Repository

__all__ = ["Fault", "Mischief", "PullRequest", "Repository", "Sandbox", "faults", "running"]
