"""Real tools on real, small changes."""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

import pytest

from reviewer.analyzers.engine import AnalyzersEngine
from reviewer.core.batches import Batch
from reviewer.core.findings import Category, Severity
from reviewer.errors import EngineUnavailable
from reviewer.ports import Engine
from tests.analyzers.change import batch_at, batch_of, change, review, review_new, rules
from tests.fakes.work import ROUTE

FAULTY = b"""\
import subprocess


def show(name, seen=[]):
    subprocess.run("ls " + name, shell=True)
    return missing(seen)
"""
FAULTS = [(4, "ruff B006"), (5, "bandit B602"), (6, "ruff F821")]


def test_it_is_an_engine():
    engine: Engine = AnalyzersEngine()

    assert (engine.name, AnalyzersEngine().model) == ("analyzers", "ruff+bandit+detect-secrets")
    assert all(f"{tool}-" in engine.version for tool in ("ruff", "bandit", "detect-secrets", "rules"))
    assert engine.version == AnalyzersEngine().version
    assert engine.reads_files
    assert engine.price("any", 1000) is None


async def test_faults_are_found_on_their_lines():
    found = await review_new("src/show.py", FAULTY)

    assert rules(found) == FAULTS
    assert [f.quote for f in found] == [FAULTY.decode().splitlines()[line - 1] for line, _ in FAULTS]
    assert {f.path for f in found} == {"src/show.py"}
    shell = found[1]
    assert (shell.severity, shell.category) == (Severity.HIGH, Category.SECURITY)
    assert shell.message.endswith("(bandit B602)")
    assert "https://" in shell.message


async def test_lines_that_did_not_change_are_left_alone():
    after = FAULTY + b"\n\ndef harmless():\n    return 1\n"

    found, notes = await review(batch_of(change("a.py", after, before=FAULTY)), {"a.py": after})

    assert found == []
    assert notes == ()


async def test_a_cut_file_tells_each_fault_once_and_in_the_chunk_that_added_it():
    body = b"".join(b"def f%d(x=[]):\n    return x\n\n\n" % number for number in range(60))
    batch = batch_of(change("a.py", body), limit=400)
    assert len(batch.chunks) > 3

    found = []
    for chunk in batch.chunks:
        told, _ = await review(Batch(chunk.id, (chunk,), ROUTE), {"a.py": body})
        added = {line.new for hunk in chunk.hunks for line in hunk.lines() if line.kind == "+"}
        assert {f.line for f in told} <= added
        found += told

    assert rules(found) == [(1 + 4 * number, "ruff B006") for number in range(60)]


async def test_without_the_file_only_secrets_are_looked_for():
    text = FAULTY + b'KEY = "AKIAIOSFODNN7EXAMPLE"\n'

    found, notes = await review(batch_of(*(change(f"{n}.py", text) for n in range(5))), {})

    assert [(f.path, f.line) for f in found] == [(f"{n}.py", 7) for n in range(5)]
    (note,) = notes
    assert note.startswith("ruff and bandit skipped for 0.py, 1.py, 2.py and 2 more (5 files): ")
    assert note.endswith("the head's file could not be read")


async def test_a_file_of_another_commit_is_not_believed():
    found, notes = await review(batch_of(change("a.py", FAULTY)), {"a.py": b"import os\n" + FAULTY})

    assert found == []
    assert notes == ("ruff and bandit skipped for a.py: the head's file is not the one this diff is of",)


@pytest.mark.parametrize(
    "path",
    ["../../etc/x.py", "/etc/cron.d/x.py", "a\nb/x.py", "-rf/--config.py", "a" * 3000 + ".py", "f/../x.PY"],
)
async def test_hostile_paths_are_reviewed_like_any_other(path: str):
    found, _ = await review(batch_at(path, FAULTY), {path: FAULTY})

    assert rules(found) == FAULTS
    assert {f.path for f in found} == {path}


async def test_a_path_no_finding_can_carry_is_noted():
    found, notes = await review(batch_of(change("caf\udce9.py", FAULTY)), {"caf\udce9.py": FAULTY})

    assert found == []
    assert notes == (
        "All analyzers skipped for caf\\udce9.py: the path is not UTF-8, or too long to be named",
    )


def test_nothing_is_left_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    asyncio.run(review(batch_at("../../x.py", FAULTY), {"../../x.py": FAULTY}))

    assert list(tmp_path.iterdir()) == []


async def test_broken_syntax_is_one_finding_and_a_note():
    text = b"def f(:\n    return )\n\nx = = 2\n"

    found, notes = await review(batch_of(change("a.py", text)), {"a.py": text})

    assert rules(found) == [(1, "ruff invalid-syntax")]
    assert found[0].severity is Severity.HIGH
    assert notes == ("bandit skipped for a.py: not valid Python for the version Sluice runs on",)


async def test_an_empty_batch_has_nothing_to_tell():
    assert await review(Batch("b1", (), ROUTE), {}) == ([], ())


async def test_carriage_returns_move_no_line():
    windows = FAULTY.replace(b"\n", b"\r\n")
    lone = b"# one\rtwo\n" + FAULTY

    assert rules(await review_new("a.py", windows)) == FAULTS
    assert rules(await review_new("a.py", lone)) == [(line + 1, rule) for line, rule in FAULTS]


async def test_a_file_that_is_not_utf8_is_reviewed_and_quoted_as_far_as_it_can_be():
    text = b'def f(x=[], y="caf\xe9"):\n    return undefined_name_here + "caf\xe9"\n'

    found = await review_new("a.py", text)

    assert rules(found) == [(1, "ruff B006"), (2, "ruff F821")]
    assert [f.quote for f in found] == ["", '    return undefined_name_here + "caf']


async def test_a_script_without_a_suffix_is_python_by_its_first_line():
    assert rules(await review_new("bin/tool", b"#!/usr/bin/env python3\nprint(nowhere)\n")) == [
        (2, "ruff F821")
    ]


async def test_other_languages_are_said_to_have_had_less():
    text = b"const a = undefinedName;\n"

    _, notes = await review(batch_of(change("a.ts", text), change("LICENSE", b"free\n")), {"a.ts": text})

    assert notes == ("only detect-secrets looked at a.ts, LICENSE: not Python",)


async def test_asserts_belong_in_tests():
    text = b"def check(x):\n    assert x\n"

    assert rules(await review_new("shop/check.py", text)) == [(2, "bandit B101")]
    assert await review_new("tests/test_check.py", text) == []


async def test_a_password_is_told_once_and_never_repeated():
    found = await review_new("a.py", b'db_password = "example-Pumpkin-2931"\n')

    assert rules(found) == [(1, "detect-secrets KeywordDetector")]
    assert "Pumpkin" not in found[0].title + found[0].message


async def test_imports_of_a_package_are_exports():
    assert await review_new("shop/__init__.py", b"from shop.orders import total\n") == []


async def test_safe_fixes_of_whole_lines_are_suggested():
    found = await review_new("a.py", b'def f(x):\n    return x is "open"\n')

    assert [(f.line, f.end_line, f.suggestion) for f in found] == [(2, None, '    return x == "open"')]


async def test_unsafe_fixes_and_fixes_beyond_the_change_are_not_suggested():
    before = b"from os import (\n    path,\n)\n\nprint(path)\n"
    after = b"from os import (\n    path,\n    sep,\n)\n\nprint(path)\n"

    unsafe = await review_new("a.py", b"def f(x=[]):\n    return x\n")
    beyond, _ = await review(batch_of(change("a.py", after, before)), {"a.py": after})

    assert [f.suggestion for f in unsafe] == [None]
    assert rules(beyond) == [(3, "ruff F401")]
    assert beyond[0].suggestion is None


async def test_one_broken_tool_is_a_note():
    engine = AnalyzersEngine(ruff_program=Path("/nowhere/ruff"))

    found, notes = await review(batch_of(change("a.py", FAULTY)), {"a.py": FAULTY}, engine)

    assert rules(found) == [(5, "bandit B602")]
    assert notes == ("ruff can't be started: No such file or directory",)


async def test_two_broken_tools_are_an_error_after_what_was_found():
    engine = AnalyzersEngine(
        ruff_program=Path("/nowhere/ruff"),
        bandit_command=(sys.executable, "-c", "import sys; sys.exit('no, no')"),
    )
    text = b'KEY = "AKIAIOSFODNN7EXAMPLE"\n'

    with pytest.raises(EngineUnavailable, match=r"ruff can't be started.*; bandit printed something else"):
        await review(batch_of(change("a.py", text)), {"a.py": text}, engine)
    assert await review(batch_of(change("a.js", text)), {"a.js": text}, engine) != ([], ())


async def test_a_tool_that_hangs_is_stopped():
    engine = AnalyzersEngine(
        bandit_command=(sys.executable, "-c", "import time; time.sleep(60)"), time_limit=0.4
    )
    began = time.monotonic()

    found, notes = await review(batch_of(change("a.py", FAULTY)), {"a.py": FAULTY}, engine)

    assert time.monotonic() - began < 5
    assert rules(found) == [(4, "ruff B006"), (6, "ruff F821")]
    assert notes == ("bandit did not finish within 0.4 s",)


async def test_a_cancelled_review_takes_its_tools_along(tmp_path: Path):
    mark = tmp_path / "mark"
    script = f"import time, pathlib; time.sleep(0.6); pathlib.Path({str(mark)!r}).touch()"
    engine = AnalyzersEngine(bandit_command=(sys.executable, "-c", script))

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await review(batch_of(change("a.py", FAULTY)), {"a.py": FAULTY}, engine)

    await asyncio.sleep(0.8)
    assert not mark.exists()


async def test_our_environment_stays_with_us(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "made-up")
    seen = tmp_path / "seen"
    script = f"import os, pathlib; pathlib.Path({str(seen)!r}).write_text(','.join(os.environ))"
    engine = AnalyzersEngine(bandit_command=(sys.executable, "-c", script))

    await review(batch_of(change("a.py", FAULTY)), {"a.py": FAULTY}, engine)

    assert "ANTHROPIC_API_KEY" not in seen.read_text()
