"""What PR-Agent puts before its model for each of some diffs. Runs in PR-Agent's own environment.

    python -I run_pr_agent.py COLUMN DIFF...

prints one JSON object a line, in the order of the diffs. The model is a stub that keeps its prompts and finds
nothing; PR-Agent's own code does everything else. Any use of the network is an error.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

COLUMNS: dict[str, dict[str, object]] = {
    "review": {},
    "review-200k": {"config.max_model_tokens": 200_000},
    "review-3-calls": {"pr_reviewer.enable_large_pr_chunking": True, "pr_reviewer.max_number_of_calls": 3},
    "review-12-calls": {"pr_reviewer.enable_large_pr_chunking": True, "pr_reviewer.max_number_of_calls": 12},
    "improve": {},
}
"""Settings of each column besides PR-Agent's defaults."""

MODEL = "claude-sonnet-5"
"""Any model whose own context is over 200,000 tokens: `max_model_tokens` alone then decides."""

EMPTY_REVIEW = (
    "review:\n  relevant_tests: |\n    No\n  key_issues_to_review: []\n  security_concerns: |\n    No\n"
)
EMPTY_SUGGESTIONS = "code_suggestions: []\n"


def main(column: str, paths: list[str]) -> None:
    sys.addaudithook(_refuse_network)
    peer = _Peer(column)
    for path in paths:
        # PR-Agent prints reviews
        with contextlib.redirect_stdout(sys.stderr):
            told = peer.run(Path(path).read_bytes().decode("utf-8", "replace"))
        sys.stdout.write(json.dumps({"diff": path, **told}) + "\n")
        sys.stdout.flush()


def _refuse_network(event: str, _: tuple[object, ...]) -> None:
    if event in {"socket.connect", "socket.getaddrinfo"}:
        raise ConnectionError("this benchmark runs without a network")


class _Peer:
    """PR-Agent with one column's settings."""

    def __init__(self, column: str) -> None:
        self._log = _module("pr_agent.log").get_logger()
        self._settings = _module("pr_agent.config_loader").get_settings()
        self._languages = _module("pr_agent.algo.language_handler")
        self._providers = _module("pr_agent.git_providers.plain_diff_provider")
        improve = column == "improve"
        self._answer = EMPTY_SUGGESTIONS if improve else EMPTY_REVIEW
        tools = _module(f"pr_agent.tools.{'pr_code_suggestions' if improve else 'pr_reviewer'}")
        self._tool = tools.PRCodeSuggestions if improve else tools.PRReviewer
        self._errors: list[str] = []
        self._log.remove()
        self._log.add(lambda message: self._errors.append(message.record["message"]), level="ERROR")
        own = {"config.git_provider": "plain-diff", "config.model": MODEL, "config.fallback_models": []}
        for name, value in {**own, "config.repo_context_files": [], **COLUMNS[column]}.items():
            self._settings.set(name, value)

    def run(self, diff: str) -> dict[str, Any]:
        """The prompts for one diff, and which of its files PR-Agent's own rules let through."""
        prompts: list[dict[str, str]] = []
        reviewable: list[str] = []
        self._errors.clear()
        self._settings.set("plain_diff.content", diff)
        try:
            reviewable = list(self._reviewable())
            asyncio.run(self._tool("local_diff", ai_handler=self._stub(prompts)).run())
        except Exception as error:  # noqa: BLE001 - whatever a peer fails with is a result to report
            self._errors.append(f"{type(error).__name__}: {error}")
        return {"prompts": prompts, "reviewable": reviewable, "errors": list(self._errors)}

    def _reviewable(self) -> Iterator[str]:
        """Files with text that neither its ignore rules nor its extensions leave out; of deleted files it
        tells the name only."""
        deleted = _module("pr_agent.algo.types").EDIT_TYPE.DELETED
        for file in self._providers.PlainDiffGitProvider().get_diff_files():
            if file.patch and file.edit_type is not deleted and self._languages.is_valid_file(file.filename):
                yield file.filename

    def _stub(self, prompts: list[dict[str, str]]) -> type:
        base = _module("pr_agent.algo.ai_handlers.base_ai_handler").BaseAiHandler
        answer = self._answer

        class Stub(base):
            def __init__(self) -> None:
                self.main_pr_language = None

            @property
            def deployment_id(self) -> None:
                return None

            async def chat_completion(self, **call: Any) -> tuple[str, str]:
                prompts.append({"system": call["system"], "user": call["user"]})
                return answer, "stop"

        return Stub


def _module(name: str) -> Any:
    """A module of PR-Agent, which is no dependency of this project and so has no types here."""
    return importlib.import_module(name)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
    # Thread pools of its libraries would keep the process
    sys.stdout.flush()
    os._exit(0)
