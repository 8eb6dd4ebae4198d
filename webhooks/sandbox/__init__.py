"""A stand-in GitHub on loopback: real git underneath, real HTTP above, GitHub's semantics between."""

from webhooks.sandbox.play import Sandbox
from webhooks.sandbox.server import running
from webhooks.sandbox.state import Fault, PullRequest, Repository

__all__ = ["Fault", "PullRequest", "Repository", "Sandbox", "running"]
