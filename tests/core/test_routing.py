from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewer.core import diff
from reviewer.core.chunks import Chunk, Measure, split
from reviewer.core.headers import FileStatus
from reviewer.core.routing import Models, Route, choose, route

MODELS = Models("main", "small")
PROSE = "+Some words about it.\n"


def chunks(path: str, rows: str, *, limit: int = 100_000, **more) -> tuple[Chunk, ...]:
    old = sum(row[:1] != "+" for row in rows.removesuffix("\n").split("\n"))
    new = sum(row[:1] != "-" for row in rows.removesuffix("\n").split("\n"))
    body = f"@@ -{1 if old else 0},{old} +{1 if new else 0},{new} @@\n{rows}"
    return split(diff.parse_patch(body, path=path, **more), Measure(limit))


def chosen(path: str, rows: str, **more) -> Route:
    (chunk,) = chunks(path, rows, **more)
    return route(chunk, MODELS)


@pytest.mark.parametrize(
    ("path", "model", "reason"),
    [
        ("README.md", "small", "documentation"),
        ("docs/guide/start.rst", "small", "documentation"),
        ("docs/notes.adoc", "small", "documentation"),
        ("docs/authentication.md", "small", "documentation"),
        ("k8s/README.md", "small", "documentation"),
        ("SECURITY.md", "small", "documentation"),
        ("LICENSE", "small", "documentation"),
        ("LICENSE-MIT", "small", "documentation"),
        ("CHANGELOG", "small", "documentation"),
        ("CHANGES.txt", "small", "documentation"),
        ("notes/todo.txt", "small", "documentation"),
        (".github/PULL_REQUEST_TEMPLATE.md", "small", "documentation"),
        ("caf\udce9/\udcff.md", "small", "documentation"),
        ("locale/de.json", "small", "plain configuration"),
        ("tsconfig.json", "small", "plain configuration"),
        ("config/logging.yaml", "small", "plain configuration"),
        ("mkdocs.yml", "small", "plain configuration"),
        ("app.toml", "small", "plain configuration"),
        ("pytest.ini", "small", "plain configuration"),
        (".editorconfig", "small", "plain configuration"),
        (".gitignore", "small", "plain configuration"),
        (".prettierrc", "small", "plain configuration"),
        (".github/ISSUE_TEMPLATE/bug.yml", "small", "plain configuration"),
        ("license.py", "main", "code"),
        ("changelog/render.go", "main", "code"),
        ("src/readme_parser.rs", "main", "code"),
        ("page.mdx", "main", "code"),
        ("noextension", "main", "code"),
        ("logo.svg", "main", "code"),
        ("deploy/release.py", "main", "code"),
        (".github/workflows/ci.yml", "main", "grants or runs things"),
        (".github/dependabot.yml", "main", "grants or runs things"),
        (".github/scripts/label.cjs", "main", "grants or runs things"),
        ("src/Shop.csproj", "main", "grants or runs things"),
        (".gitlab-ci.yml", "main", "grants or runs things"),
        (".circleci/config.yml", "main", "grants or runs things"),
        ("Dockerfile", "main", "grants or runs things"),
        ("build/Dockerfile.dev", "main", "grants or runs things"),
        ("docker-compose.override.yml", "main", "grants or runs things"),
        ("compose.yaml", "main", "grants or runs things"),
        ("Makefile", "main", "grants or runs things"),
        ("infra/main.tf", "main", "grants or runs things"),
        ("k8s/service.yaml", "main", "grants or runs things"),
        ("charts/shop/values.yaml", "main", "grants or runs things"),
        ("values-prod.yaml", "main", "grants or runs things"),
        ("nginx/site.conf", "main", "grants or runs things"),
        ("db/001_init.sql", "main", "grants or runs things"),
        ("package.json", "main", "grants or runs things"),
        ("web/composer.json", "main", "grants or runs things"),
        ("pyproject.toml", "main", "grants or runs things"),
        ("requirements-dev.txt", "main", "grants or runs things"),
        ("CMakeLists.txt", "main", "grants or runs things"),
        (".env", "main", "grants or runs things"),
        ("config/.env.production", "main", "grants or runs things"),
        ("CODEOWNERS", "main", "grants or runs things"),
        (".github/CODEOWNERS", "main", "grants or runs things"),
        (".pre-commit-config.yaml", "main", "grants or runs things"),
        ("AGENTS.md", "main", "grants or runs things"),
        ("app/prompts/system.md", "main", "grants or runs things"),
        ("config/auth/realm.json", "main", "grants or runs things"),
        ("config/securityHeaders.yml", "main", "grants or runs things"),
        ("config/permissions.toml", "main", "grants or runs things"),
        ("secrets/index.txt", "main", "grants or runs things"),
        ("src/auth/login.py", "main", "code of security"),
        ("lib/passwordHasher.ts", "main", "code of security"),
        ("payments/refund.go", "main", "code of security"),
    ],
)
def test_a_path_tells_documentation_and_plain_configuration_from_what_runs(path, model, reason):
    rows = PROSE + "".join(f"+level{n}: x = {n}\n" for n in range(4))

    assert chosen(path, rows) == Route(model, reason)


@pytest.mark.parametrize(
    ("path", "rows"),
    [
        ("conf/a.yaml", "+password: made-up\n"),
        ("conf/a.yaml", "+verify_tls: true\n"),
        ("conf/a.yaml", "-  command: run.sh\n"),
        ("conf/a.yaml", "+allowed_origins: ['*']\n"),
        ("conf/a.yaml", " apiVersion: v1\n kind: Pod\n-replicas: 1\n+replicas: 2\n"),
        ("conf/a.json", '+"accessToken": "made-up"\n'),
        ("conf/a.ini", "-role = reader\n"),
        (".gitignore", "-.env\n"),
        ("web/manifest.json", '+  "scripts": {"a": "b"}\n'),
    ],
)
def test_configuration_whose_changed_lines_grant_or_run_is_not_plain(path, rows):
    assert chosen(path, rows) == Route("main", "grants or runs things")


def test_an_unchanged_word_of_risk_does_not_count_in_configuration():
    assert chosen("conf/a.yaml", " password: made-up\n-size: 1\n+size: 2\n").model == "small"


@pytest.mark.parametrize(
    ("path", "rows"),
    [
        ("a.py", "-count = 3\n+count = 4\n"),
        ("a.py", "+import math\n"),
        ("a.py", "-import math\n"),
        ("a.py", '-label = "Wellcome, stranger!"\n+label = "Welcome, stranger!"\n'),
        ("a.py", '-label = "Schliessen"\n+label = "Schließen"\n'),
        ("a.js", '-const title = "Do it if you like";\n+const title = "Do it as you like";\n'),
        ("a.css", "-  color: red;\n+  color: blue;\n"),
        ("a.go", "-\tsize = 1\n+\tsize = 2\n"),
        ("a.c", "-  p->x = 1;\n+  p->x = 2;\n"),
        ("a.py", "-author = 'A'\n+author = 'B'\n"),
        ("a.py", "+# What for\n+\n+x = 1\n"),
    ],
)
def test_an_edit_that_decides_nothing_is_tiny(path, rows):
    assert chosen(path, rows) == Route("small", "tiny edit")


@pytest.mark.parametrize(
    ("path", "rows"),
    [
        ("a.py", "-if a:\n+if b:\n"),
        ("a.py", "-x = a < b\n+x = a <= b\n"),
        ("a.py", "-x = a and b\n+x = a\n"),
        ("a.c", "-x = a & b;\n+x = a | b;\n"),
        ("a.js", "-x = a ? b : c\n+x = b\n"),
        ("a.py", "-for x in y:\n+for x in z:\n"),
        ("a.py", "-    return a\n+    return b\n"),
        ("a.py", "-    raise A\n+    raise B\n"),
        ("a.ts", "+  throw new Error('x')\n"),
        ("a.py", "+eval(text)\n"),
        ("a.py", "+subprocess.run(x)\n"),
        ("a.py", "+os.system(x)\n"),
        ("a.py", "-rows = db.execute(a)\n+rows = db.execute(b)\n"),
        ("a.py", '+text = "SELECT 1" + name\n'),
        ("a.py", "+my_lock.acquire()\n"),
        ("a.py", "-await go()\n+go()\n"),
        ("a.js", "+el.innerHTML = x\n"),
        ("a.js", "+userToken = x\n"),
        ("a.py", "+PASSWORD = 'made-up'\n"),
        ("a.py", "+unit_price = 3\n"),
        ("a.ts", "+totalAmount = 3\n"),
        ("a.py", "+items.remove(x)\n"),
        ("a.py", "+deleteAll()\n"),
        ("a.py", "-check_access(x)\n"),
        ("a.py", "-limiter.apply(x)\n"),
        ("a.py", "-@cached\n"),
        ("a.py", "-def f(a):\n+def f(a, b):\n"),
        ("a.py", "-a = 1\n-b = 1\n+a = 2\n+b = 2\n"),
        ("a.py", '+"""\n'),
        ("a.js", "+/*\n"),
        ("a.c", "-*/\n"),
        ("a.js", "+x = `a\n"),
        ("a.py", "-аccess = 1\n+access = 1\n"),  # noqa: RUF001 — the first begins with a Cyrillic letter
        ("lib", "-Subproject commit 1111111\n+Subproject commit 2222222\n"),
        ("a.py", f"+x = '{'y' * 500}'\n"),
        ("a.sh", "+cp a b\n"),
    ],
)
def test_an_edit_that_decides_or_touches_something_of_risk_is_not_tiny(path, rows):
    assert chosen(path, rows) == Route("main", "code")


@pytest.mark.parametrize(
    ("path", "rows", "reason"),
    [
        ("a.py", "+# if the password is wrong\n" * 9, "comments only"),
        ("a.ts", "-// return early\n+// return late\n+/* one */\n", "comments only"),
        ("a.c", " /*\n+ * if (x) return;\n+ * more\n  */\n", "comments only"),
        ("a.lua", "+-- a word\n", "comments only"),
        ("a.sh", "+# a word\n", "comments only"),
        ("a.html", "+<!-- a word -->\n", "comments only"),
        ("a.go", "-if a {\n+  if a {\n-return b\n+\treturn b\n", "whitespace only"),
        ("a.py", "-if a:  \n+if a:\n", "whitespace only"),
        ("a.py", "+\n+\n", "whitespace only"),
    ],
)
def test_comments_and_whitespace_are_trivial_over_several_lines(path, rows, reason):
    assert chosen(path, rows) == Route("small", reason)


@pytest.mark.parametrize(
    ("path", "rows"),
    [
        ("a.py", "+# word\n" * 11),
        ("a.py", "-if a:\n+# if a:\n"),
        ("a.py", "-    check()\n+check()\n"),
        ("a.go", "-lock()\n-work()\n+work()\n+lock()\n"),
        ("a.js", "-lock()\n work()\n+lock()\n"),
        ("a.py", "+# noqa: S101\n"),
        ("a.go", "+//go:linkname a b\n"),
        ("a.ts", "-// @ts-expect-error\n"),
        ("a.js", "+// word\u2028steal()\n"),
        ("a.py", "+# word\rsteal()\n"),
        ("a.c", "+// word \\\n"),
        ("a.c", "+# define X 1\n+#undef Y\n+#undef Z\n+#undef A\n"),
        ("a.c", "+ * p = 0;\n+ * q = 0;\n+ * r = 0;\n+ * s = 0;\n"),
        ("a.c", " /* a\n+*/\n+steal(x);\n+/*\n  */\n"),
        ("a.php", "+// word ?> <b>\n"),
        ("a.py", "+# \u202eword\n"),
        ("auth.py", "+# word\n"),
    ],
)
def test_what_only_looks_like_comments_or_whitespace_is_not_trivial(path, rows):
    assert chosen(path, rows).model == "main"


def test_a_part_of_a_big_file_is_not_trivial_by_its_size():
    big = " x = 1\n" * 400 + "+y = 1\n" + " x = 1\n" * 400

    first, *_ = parts = chunks("a.py", big, limit=1_000)

    assert min(part.changed_lines for part in parts) <= 1 < first.parts
    assert {route(part, MODELS).model for part in parts} == {"main"}


def test_a_part_of_big_documentation_is_documentation():
    parts = chunks("a.md", PROSE * 400, limit=1_000)

    assert len(parts) > 1
    assert {route(part, MODELS) for part in parts} == {Route("small", "documentation")}


def test_a_rename_counts_as_the_weightier_of_its_names():
    moved = chosen("old/ci.md", PROSE, old_path=".github/workflows/ci.yml", status=FileStatus.RENAMED)

    assert moved == Route("main", "grants or runs things")


def test_what_became_a_link_is_no_documentation_whatever_its_name():
    linked = chosen("README.md", "-Some words\n+/etc/hosts\n", status=FileStatus.CHANGED)

    assert linked == Route("main", "code")


@pytest.mark.parametrize("models", [Models("main"), Models("main", "main")])
def test_without_a_small_model_of_its_own_the_main_one_reviews_all(models):
    (chunk,) = chunks("README.md", PROSE)

    assert route(chunk, models) == Route("main", "the only model")


HOSTILE = [
    "A" * 100_000,
    "'\"" * 50_000,
    "aA" * 50_000,
    "/*" * 50_000,
    "* " * 50_000,
    "`{" * 50_000,
    "\udcff" * 9,
]


@pytest.mark.parametrize(
    "path", ["a.py", "a.js", "a.json", "a.md", "x" * 50_000, "a-" * 2_000, "LICENSE-" + "a" * 4_000]
)
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_any_text_gets_a_route(path, text):
    assert chosen(path, f"+{text}\n").model in {"main", "small"}


@given(st.text(st.characters(exclude_characters="\n\0")), st.sampled_from(["a.py", "b.ts", "c.yaml", "d"]))
def test_any_line_gets_a_route(text, path):
    assert chosen(path, f"+{text}\n").reason


IDS = [f"review-{number}" for number in range(10_000)]


def test_models_are_chosen_by_weight():
    weights = {"a": 5.0, "b": 3.0, "c": 2.0, "never": 0.0}

    counted = Counter(choose(weights, each) for each in IDS)

    assert {name: round(counted[name] / 1_000) for name in weights} == {"a": 5, "b": 3, "c": 2, "never": 0}
    assert all(abs(counted[name] - weight * 1_000) < 200 for name, weight in weights.items())


def test_a_choice_depends_on_neither_the_order_nor_the_sum_of_the_weights():
    weights = {"a": 1.0, "b": 2.0, "c": 1.0}
    other = {name: weights[name] * 4 for name in ("c", "b", "a")}

    assert [choose(weights, each) for each in IDS[:500]] == [choose(other, each) for each in IDS[:500]]


def test_a_raised_weight_moves_reviews_to_its_name_only():
    last = [choose({"a": 1, "b": 1, "c": 1}, each) for each in IDS]

    for lower, higher in pairwise([1, 2, 4]):
        now = [choose({"a": 1, "b": higher, "c": 1}, each) for each in IDS]
        assert {after for before, after in zip(last, now, strict=True) if before != after} == {"b"}, lower
        last = now


def test_a_choice_stays_what_it_was_in_earlier_versions():
    assert [choose({"a": 1, "b": 1}, each) for each in IDS[:8]] == list("bbbabaaa")


@pytest.mark.parametrize("weights", [{}, {"a": 0.0}, {"a": -1.0, "b": 1.0}, {"a": float("nan")}])
def test_weights_that_choose_nothing_are_refused(weights):
    with pytest.raises(ValueError, match="weight"):
        choose(weights, "r")
