"""Two tenants on one stage, with words that are the first's alone."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reviewer.store.database import Database
from tests.core.test_stream import finding
from tests.fakes.claude import Answer, ScriptedClaude
from tests.scenarios.app import World, commit, make_repository, open_change, world
from tests.scenarios.outsiders import Outsider, logged_in, with_token
from tests.scenarios.stage import SHELL, WRONG, Held, asked, ended
from webhooks.access.tokens import Tokens, Wanted
from webhooks.news import Place
from webhooks.sandbox import PullRequest, Repository

DIALS = {"vault/dials.py": "# dials\ncombination = 'open sesame'\n"}
LEAK = finding(
    "The combination is told",
    path="vault/dials.py",
    line=2,
    quote="combination = 'open sesame'",
    severity="critical",
)
LATCH = finding("The latch is open", path="vault/dials.py", line=1, quote="# dials", severity="low")
WORDS = ("acme/", "vault", "dials", "combination", "sesame", "latch is open", "wile-coyote", "anvil")
"""What is in names, paths, titles and findings of the first tenant, and nowhere else."""

ANVIL = """\
diff --git a/vault/anvil.py b/vault/anvil.py
--- a/vault/anvil.py
+++ b/vault/anvil.py
@@ -1 +1,2 @@
 weight = 1
+weight = 2
"""
COUNT = """\
diff --git a/count.py b/count.py
--- a/count.py
+++ b/count.py
@@ -1 +1,2 @@
 count = 1
+count = 2
"""
ALL_KEPT = "/events?from=start&follow=false"


class Writing:
    """A model that reviews for both, and is held up in what it writes of the vault."""

    def __init__(self) -> None:
        self.held = Held.after(1, LEAK, LATCH)

    def __call__(self, body: dict[str, Any]) -> Answer:
        text = json.dumps(body)
        if "dials.py" in text:
            return self.held
        return Answer.findings(WRONG, SHELL) if "calc.py" in text else Answer()


@dataclass
class Stage:
    """The app with both tenants on it; of the second, one review is done.

    Attributes:
        first: a token of the first, which may everything there.
        theirs: their repository.
        outsiders: of the second: tokens of its installation and of its repository, a person, and
            a token that posts.
    """

    app: World
    claude: ScriptedClaude
    writing: Writing
    first: Outsider
    theirs: Repository
    outsiders: list[Outsider]
    folder: Path
    repository: Repository
    pull: PullRequest

    async def work(self) -> list[str]:
        """Let the first tenant be reviewed, up to a first finding, and post; gives its reviews."""
        times = len(self.claude.requests)
        await self.app.sandbox.open_pull_request(
            self.theirs, base="main", head="change", title="Turn the dials", author="wile-coyote"
        )
        await asked(self.claude, times + 1)
        (going,) = (await self.first.get("/reviews")).body["reviews"]
        return [
            going["id"],
            await self.post(self.first, "one", COUNT),
            await self.post(self.first, "two", ANVIL),
        ]

    async def post(self, caller: Outsider, key: str, diff: str) -> str:
        """Have a diff reviewed to its end."""
        about = {"repository": "acme/anvils", "title": "Drop the anvil"} if diff == ANVIL else {}
        headers = {"Prefer": "respond-async", "Idempotency-Key": key}
        answer = await caller.post("/reviews", diff, headers, **about)
        assert answer.status == 202, answer.text
        await self.app.until_end(answer.body["review"])
        return answer.body["review"]

    async def finish(self, review: str) -> None:
        """Let what is held up come to its end."""
        self.writing.held.let_go = True
        assert (await self.app.until_end(review))[-1].type == "review.completed"
        await self.app.closed(self.theirs)

    async def demand_silence(self, reviews: Iterable[str]) -> None:
        """Fail if any outsider was ever sent anything of the first."""
        events = (await self.first.get(ALL_KEPT)).ids
        assert len(events) > 10
        numbers = [rf"\b{number}\b" for number in (self.theirs.id, self.theirs.installation_id)]
        words = [re.escape(word) for word in (*WORDS, *reviews, *events, self.first.name)]
        secret = re.compile("|".join(words + numbers))
        assert secret.search("".join(self.first.heard)), "the words are none of the first's"
        assert any(outsider.heard for outsider in self.outsiders)
        for outsider in self.outsiders:
            found = secret.search("".join(outsider.heard))
            assert found is None, f"{outsider.name} was sent {found[0]!r}"


@asynccontextmanager
async def staged(database_url: str, database: Database, folder: Path) -> AsyncIterator[Stage]:
    """Put them on the stage."""
    writing, theirs, ours = (
        Writing(),
        await make_repository(folder / "a"),
        await make_repository(folder / "b"),
    )
    (theirs / "vault").mkdir()
    await commit(theirs, DIALS)
    async with (
        ScriptedClaude(writing) as claude,
        world(database_url, folder, claude=claude.url) as app,
        AsyncExitStack() as stack,
    ):
        app.sandbox.state.ids = itertools.count(7_140_001)  # numbers that are nowhere by chance
        vault = app.sandbox.add_repository("acme/vault", git_dir=theirs, default_branch="main")
        repository, pull = await open_change(app, ours)
        await ended(app, repository)
        place = Place(repository.installation_id, repository.id, repository.full_name)
        tokens = Tokens(database)

        async def token(name: str, **wanted: Any) -> Outsider:
            _, text = await tokens.create(Wanted(name, **wanted))
            return await stack.enter_async_context(with_token(app, name, text))

        first = await token(
            "a token of wile-coyote", installations=(vault.installation_id,), may_act=True, may_post=True
        )
        outsiders = [
            await token("of the installation", installations=(place.installation,), may_act=True),
            await token("of the repository", places=(place,)),
            await stack.enter_async_context(logged_in(app, "road-runner", repository)),
            await token("for posting", may_post=True),
        ]
        yield Stage(app, claude, writing, first, vault, outsiders, ours, repository, pull)
