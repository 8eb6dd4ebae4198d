"""What kind of thing a changed file is, by its path and, for configuration, by what changed in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from reviewer.core.chunks import Chunk
from reviewer.core.headers import FileStatus


class Kind(StrEnum):
    """The text is for people."""

    DOCUMENTATION = "documentation"
    SETTINGS = "plain configuration"
    CODE = "code"
    POWER = "grants or runs things"
    SECURITY = "code of security"


_WEIGHTS = (Kind.DOCUMENTATION, Kind.SETTINGS, Kind.CODE, Kind.POWER, Kind.SECURITY)

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def words(text: str) -> set[str]:
    """The words of a text or of the names in it, in small letters: `loadUser_key` is load, user and key."""
    return {word.lower() for word in _WORDS.findall(text)}


def kind_of(chunk: Chunk) -> Kind:
    """The kind of its file; of a file that was renamed, the weightier of the two.

    What became a link, or ceased to be one, is code: its name no longer tells what it is.
    """
    if chunk.file.status is FileStatus.CHANGED:
        return Kind.CODE
    paths = (chunk.path, chunk.file.old_path or chunk.path)
    kind = max(map(kind_of_path, paths), key=_WEIGHTS.index)
    return Kind.POWER if kind is Kind.SETTINGS and _empowers(chunk) else kind


_DOCUMENTS = frozenset((
    "md", "markdown", "mdown", "rst", "adoc", "asciidoc", "txt", "text", "org", "textile", "rdoc",
))  # fmt: skip
_DOCUMENT_NAMES = re.compile(
    r"(?:licen[cs]e|copying|notice|copyright|change(?:s|log)|history|news|authors|contributors|contributing"
    r"|maintainers|readme|code_of_conduct|thanks|credits|todo)(?:[-_][a-z0-9_-]{0,40})?"
)
_SETTINGS = frozenset((
    "toml", "ini", "cfg", "json", "json5", "jsonc", "yaml", "yml", "properties",
))  # fmt: skip
_SETTINGS_NAMES = frozenset((
    ".editorconfig", ".gitignore", ".gitattributes", ".dockerignore", ".npmignore", ".eslintignore",
    ".prettierignore", ".prettierrc", ".stylelintrc", ".eslintrc", ".babelrc", ".browserslistrc", ".nvmrc",
    ".node-version", ".python-version", ".ruby-version", ".tool-versions", ".mailmap", ".helmignore",
    ".gcloudignore", ".flake8", ".pylintrc", ".coveragerc", ".clang-format",
))  # fmt: skip

_POWER = frozenset((
    "tf", "tfvars", "hcl", "sql", "env", "conf", "service", "timer", "mk", "dockerfile", "rules", "bicep",
    "rego", "mdc", "bat", "cmd", "csproj", "fsproj", "vbproj", "vcxproj", "props", "targets", "gradle",
    "gemspec", "podspec", "cabal", "nix", "bzl", "bazel", "cmake",
))  # fmt: skip
_POWER_NAMES = frozenset((
    "containerfile", "makefile", "gnumakefile", "justfile", "rakefile", "gemfile", "vagrantfile",
    "jenkinsfile", "procfile", "brewfile", "tiltfile", "caddyfile", "codeowners", "owners", "package.json",
    "composer.json", "bower.json", "pyproject.toml", "cargo.toml", "setup.cfg", "pipfile", "go.mod",
    "pom.xml", "build.gradle", "tox.ini", ".pre-commit-config.yaml", ".travis.yml", "azure-pipelines.yml",
    "appveyor.yml", "cloudbuild.yaml", "buildspec.yml", "bitbucket-pipelines.yml", ".gitmodules", ".npmrc",
    ".yarnrc", ".yarnrc.yml", ".pypirc", ".netrc", ".pip.conf", "pip.conf", ".htaccess", ".htpasswd",
    ".bazelrc", ".envrc", "cmakelists.txt", "chart.yaml", "kustomization.yaml", "serverless.yml",
    "template.yaml", "netlify.toml", "vercel.json", "now.json", "fly.toml", "render.yaml", "app.yaml",
    "app.yml", "app.json", "wrangler.toml", "firebase.json", "angular.json", "turbo.json", "nx.json",
    "lerna.json", "deno.json", "deno.jsonc", "bunfig.toml", ".mcp.json", "mcp.json", "devcontainer.json",
    "action.yml", "action.yaml", "renovate.json", ".renovaterc", "dependabot.yml", "agents.md", "claude.md",
    "gemini.md", "skill.md", ".cursorrules", "copilot-instructions.md", "crontab", "sudoers",
    "authorized_keys", "known_hosts", "hosts", "robots.txt", "web.config", "playbook.yml", "site.yml",
    "lefthook.yml", "skaffold.yaml", "mergify.yml", ".mergify.yml", "buildkite.yml", "pnpm-workspace.yaml",
    "pubspec.yaml", "conanfile.txt", "environment.yml", "tasks.json", "launch.json",
))  # fmt: skip
_POWER_PATTERN = re.compile(
    r"dockerfile(?:\..*)?|(?:docker-)?compose(?:[.-].*)?\.ya?ml|\.?taskfile\.ya?ml|\.gitlab-ci.*|\.env(?:\..*)?"
    r"|(?:requirements|constraints)(?:[-_.].*)?\.(?:txt|in)|values(?:[-_.].*)?\.ya?ml|makefile\..*"
)
_RUN_FOLDERS = frozenset((".github", ".gitlab", ".circleci", ".buildkite", ".husky"))
"""All in them runs with the rights of the repository, but for prose."""

_POWER_FOLDERS = frozenset((
    ".devcontainer", ".vscode", ".idea", "workflows", "ansible", "playbooks", "roles", "terraform", "infra",
    "infrastructure", "k8s", "kubernetes", "kube", "helm", "charts", "manifests", "argocd", "flux",
    "deploy", "deployment", "deployments", "nginx", "apache", "haproxy", "caddy", "systemd", "cron",
    "migrations", "templates", "requirements", "overlays", "cloudformation", "pulumi",
))  # fmt: skip
"""Configuration in them runs or grants; code in them is code, and prose is prose."""

_AGENT_FOLDERS = frozenset((
    "prompts", ".claude", ".cursor", ".codex", ".gemini", "skills",
))  # fmt: skip
"""Prose in them is what a model is told to do."""

_SECURITY = frozenset((
    "oidc", "saml", "sso", "jwt", "csrf", "cors", "xss", "acl", "rbac", "iam", "tls", "ssl", "cert",
    "certs", "certificate", "certificates", "login", "logout", "signin", "session", "sessions", "token",
    "tokens", "policy", "policies", "sandbox", "payment", "payments", "billing", "wallet", "sudo", "vault",
    "kms", "hmac", "firewall", "captcha", "mfa", "totp", "keyring", "keystore",
))  # fmt: skip
_SECURITY_STEM = re.compile(
    r"auth(?!ors?$)|secur|secret|permission|privileg|credential|passw|crypt|cipher|sanitiz"
)


def kind_of_path(path: str) -> Kind:
    """The kind of a file as far as its path tells."""
    *folders, name = path.lower().split("/")
    around = frozenset(folders)
    stem, _, extension = name.rpartition(".")
    if name in _POWER_NAMES or _POWER_PATTERN.fullmatch(name) or not _AGENT_FOLDERS.isdisjoint(around):
        return Kind.POWER
    named = _DOCUMENT_NAMES.fullmatch(stem or name) is not None
    if (extension in _DOCUMENTS and (named or extension != "txt")) or (not stem and named):
        return Kind.DOCUMENTATION
    if {".github", "issue_template"} <= around:
        return Kind.SETTINGS
    listed = Kind.DOCUMENTATION if extension == "txt" else Kind.SETTINGS
    if extension == "txt" or extension in _SETTINGS or name in _SETTINGS_NAMES:
        return (
            listed
            if (_POWER_FOLDERS | _RUN_FOLDERS).isdisjoint(around) and not _is_of_security(path)
            else Kind.POWER
        )
    if extension in _POWER or not _RUN_FOLDERS.isdisjoint(around):
        return Kind.POWER
    return Kind.SECURITY if _is_of_security(path) else Kind.CODE


def _is_of_security(path: str) -> bool:
    said = words(path)
    return not _SECURITY.isdisjoint(said) or any(map(_SECURITY_STEM.search, said))


_MANIFEST = re.compile(r"^[ +-](?:apiVersion|AWSTemplateFormatVersion|jobs):", re.MULTILINE)
_EMPOWERING = re.compile(
    r"passw|secret|token|credential|auth(?!or)|permission|privileg|\brole|\badmin|\broot\b|\bsudo|script|command"
    r"|\bcmd\b|\bexec|\brun\b|\bimage\b|entrypoint|\bcors|origin|allow|\bdeny|\benv\b|\bverify|\bssl|\btls"
    r"|certificate|private|api_?key|\bpolicy|security|\bhooks?\b|\bplugins?\b|\bproxy|webhook|\bdebug\b|\bprice"
    r"|\bacl\b|registry|insecure",
    re.IGNORECASE,
)


def _empowers(chunk: Chunk) -> bool:
    """Whether configuration runs things by its kind, or its changed lines speak of what grants or runs."""
    blocks = [block for hunk in chunk.hunks for block in hunk.blocks]
    if any(map(_MANIFEST.search, blocks)):
        return True
    return any(map(_EMPOWERING.search, _changed_rows(chunk)))


def _changed_rows(chunk: Chunk) -> Iterator[str]:
    return (row for hunk in chunk.hunks for row in hunk.rows() if row[:1] in {"+", "-"})


@dataclass(frozen=True, slots=True)
class Syntax:
    """How a language writes comments.

    Attributes:
        marks: what begins one that ends with its line.
        enclosed: what begins and ends one within a line.
        blocks: one may go over several lines, from `/*` on.
    """

    extension: str
    marks: tuple[str, ...] = ()
    enclosed: tuple[str, str] | None = None
    blocks: bool = False


_HASH = frozenset((
    "py", "pyi", "rb", "sh", "bash", "zsh", "fish", "pl", "pm", "r", "jl", "ex", "exs", "nim", "cr", "tcl",
    "ps1", "awk", "coffee",
))  # fmt: skip
SHELLS = frozenset(("sh", "bash", "zsh", "fish", "ps1"))
"""Languages in which each line runs a program."""

_SLASHES = frozenset((
    "js", "ts", "jsx", "tsx", "mjs", "cjs", "mts", "cts", "java", "kt", "kts", "c", "h", "cc", "cpp", "cxx",
    "hh", "hpp", "hxx", "cs", "go", "rs", "swift", "scala", "dart", "php", "groovy", "m", "mm", "proto",
    "zig", "scss", "less",
))  # fmt: skip
_DASHES = frozenset((
    "lua", "hs", "elm", "ada", "adb", "ads", "vhd", "vhdl",
))  # fmt: skip
_SEMICOLON = frozenset((
    "clj", "cljs", "cljc", "lisp", "el", "scm", "rkt",
))  # fmt: skip
_MARKUP = frozenset((
    "html", "htm", "vue", "svelte",
))  # fmt: skip

INDENTED = frozenset((
    "py", "pyi", "nim", "coffee", "hs", "elm", "fs", "fsx", "pug", "sass", "slim", "haml", "jl", "ex",
    "exs",
)) | {""}  # fmt: skip
"""Languages in which space at a line's beginning has a meaning, or may have."""


def syntax_of(path: str) -> Syntax:
    """The syntax of a file's comments; of a language that is not known, none."""
    extension = path.lower().rpartition("/")[2].rpartition(".")[2]
    if extension in _HASH:
        return Syntax(extension, marks=("#",))
    if extension in _SLASHES:
        return Syntax(extension, ("//",), ("/*", "*/"), blocks=True)
    if extension == "css":
        return Syntax(extension, (), ("/*", "*/"), blocks=True)
    if extension in _DASHES:
        return Syntax(extension, marks=("--",))
    if extension in _SEMICOLON:
        return Syntax(extension, marks=(";",))
    return Syntax(extension, enclosed=("<!--", "-->")) if extension in _MARKUP else Syntax("")
