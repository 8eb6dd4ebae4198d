from __future__ import annotations

import re

import pytest
from jinja2 import DictLoader

from reviewer.core import prompt
from reviewer.core.chunks import Chunk
from reviewer.core.prompt import VERSION, Wording, load

SOURCES = {
    "prompt.toml": '[templates."user.md.j2"]\ntool = "its name"\n',
    "user.md.j2": "Call {{ tool }}.",
    "examples/general.toml": 'kinds = ["general"]\ndiff = ""\n',
}


def with_sources(more: dict[str, str]) -> Wording:
    return Wording(DictLoader({**SOURCES, **more}))


def test_a_template_is_rendered_with_what_it_declares():
    assert with_sources({}).render("user.md.j2", tool="report") == "Call report."


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"user.md.j2": "{{ tool }} {{ secret }}"}, "user.md.j2: the variable 'secret' is not declared"),
        ({"user.md.j2": "Call it."}, "user.md.j2: the variable 'tool' is declared in prompt.toml, but"),
        (
            {"user.md.j2": "{% for tool in tools %}{{ tool }}{% endfor %}"},
            "the variable 'tools' is not declared",
        ),
        ({"other.md.j2": ""}, "the template 'other.md.j2' is not declared"),
        ({"prompt.toml": '[templates."system.md.j2"]'}, "the template 'user.md.j2' is not declared"),
        (
            {"prompt.toml": SOURCES["prompt.toml"] + '[templates."system.md.j2"]'},
            "the template 'system.md.j2' is declared in prompt.toml, but",
        ),
        ({"user.md.j2": "{{ tool }}{% include 'prompt.toml' %}"}, "user.md.j2 draws in 'prompt.toml'"),
        ({"prompt.toml": "[template]"}, "template"),
    ],
)
def test_a_version_that_is_not_what_its_manifest_says_is_refused(more, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        with_sources(more)


def test_a_variable_too_few_or_too_many_is_refused():
    loaded = with_sources({})

    with pytest.raises(ValueError, match=r"user\.md\.j2: the variable 'tool' is declared"):
        loaded.render("user.md.j2")
    with pytest.raises(ValueError, match=r"user\.md\.j2: the variable 'path' is not declared"):
        loaded.render("user.md.j2", tool="report", path="x")
    with pytest.raises(ValueError, match=r"no template other\.md\.j2"):
        loaded.render("other.md.j2")


@pytest.mark.parametrize(
    "more",
    [
        {"user.md.j2": "Please call {{ tool }}."},
        {"prompt.toml": SOURCES["prompt.toml"].replace("its name", "the name")},
        {"examples/go.toml": 'languages = ["go"]\ndiff = ""\n'},
        {"examples/general.toml": SOURCES["examples/general.toml"] + "# Silence\n"},
    ],
)
def test_other_words_are_another_digest(more):
    assert with_sources(more).digest() != with_sources({}).digest()


def test_the_same_words_are_the_same_digest():
    assert with_sources({}).digest() == with_sources({}).digest()


def test_another_form_of_the_tool_or_of_a_shown_line_is_another_digest(monkeypatch):
    loaded = load(VERSION)
    before = loaded.digest()

    with monkeypatch.context() as patch:
        patch.setattr(prompt, "tool", lambda: {"name": "another"})
        of_another_tool = loaded.digest()
    with monkeypatch.context() as patch:
        patch.setattr(Chunk, "text", lambda _: "R1 +x")
        of_another_form = loaded.digest()

    assert len({before, of_another_tool, of_another_form, loaded.digest()}) == 3
