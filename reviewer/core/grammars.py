"""Which nodes of which grammar define a function or a class, and how their names are written.

The grammars are tree-sitter's, as `ast-grep-py` carries them. Namespaces, closures without a name, fields and
variables are no definitions here. A property that runs code is a function.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, cast

from ast_grep_py import Config, SgNode

ScopeKind = Literal["function", "class"]
Name = Callable[[SgNode], str]
# The types that ast-grep ships for its rules refuse most of what it reads
Rule = dict[str, object]


@dataclass(frozen=True, slots=True)
class Form:
    """A kind of node that defines something.

    Attributes:
        makes: what it defines, or how to see that.
        name: gives the dotted name; "" where the node, looked at closely, defines nothing.
        value: the fields, or kinds of children, that lead to the function or class where this node only gives
            it a name.
        where: what else must hold for the node.
        inside_functions: whether it defines something there too.
    """

    makes: ScopeKind | Callable[[SgNode], ScopeKind]
    name: Name
    value: tuple[str, ...] = ()
    where: Rule | None = None
    inside_functions: bool = True

    def kind(self, node: SgNode) -> ScopeKind:
        """What `node` defines."""
        return self.makes(node) if callable(self.makes) else self.makes


@dataclass(frozen=True, slots=True)
class Grammar:
    """One language.

    Attributes:
        language: its name in ast-grep.
        leads: kinds of nodes that open a definition although they stand before it, as decorators do.
        refused: tells text that this grammar's scanner does not survive, or not in reasonable time.
    """

    language: str
    forms: Mapping[str, Form]
    leads: frozenset[str] = frozenset()
    refused: Callable[[str], bool] | None = None

    def query(self) -> Config:
        """Finds the nodes of `forms` and `leads`."""
        rules: list[Rule] = [{"kind": kind} for kind in sorted(self.leads)]
        for kind, form in self.forms.items():
            rules.append({"all": [{"kind": kind}, form.where]} if form.where else {"kind": kind})
        return cast("Config", {"rule": {"any": rules}})


def grammar_for(path: str) -> Grammar | None:
    """The grammar for a file of this name, by its extension."""
    name = path.rpartition("/")[2].lower()
    return _BY_EXTENSION.get(name.rpartition(".")[2]) if "." in name else None


def _tidy(text: str) -> str:
    return " ".join(text.split()).strip("`'\"").replace("::", ".")


def part(node: SgNode, *path: str) -> SgNode | None:
    """What the names of fields, or kinds of children, lead to."""
    inner: SgNode | None = node
    for step in path:
        if inner is None:
            return None
        inner = inner.field(step) or next((child for child in inner.children() if child.kind() == step), None)
    return inner


def _field(name: str) -> Name:
    """The text of a field."""

    def read(node: SgNode) -> str:
        inner = node.field(name)
        return _tidy(inner.text()) if inner is not None else ""

    return read


def _part(*path: str) -> Name:
    """The text of what `part` finds."""

    def read(node: SgNode) -> str:
        inner = part(node, *path)
        return _tidy(inner.text()) if inner is not None else ""

    return read


def _always(text: str) -> Name:
    return lambda _: text


def _bare(text: str) -> str:
    """A type without its generics and its marks of reference or absence."""
    return _tidy(re.split(r"[<\[]", text, maxsplit=1)[0]).strip("&*?() ") or _tidy(text)


def _functions(kinds: str, name: Name | None = None) -> dict[str, Form]:
    return {kind: Form("function", name or _field("name")) for kind in kinds.split()}


def _classes(kinds: str, name: Name | None = None) -> dict[str, Form]:
    return {kind: Form("class", name or _field("name")) for kind in kinds.split()}


def _any_of(kinds: str) -> Rule:
    return {"any": [{"kind": kind} for kind in kinds.split()]}


# JavaScript and TypeScript: a function or a class is often called what it is assigned to


def _held(left: str, right: str) -> Form:
    """A node whose field `left` names the function or class in its field `right`."""

    def makes(node: SgNode) -> ScopeKind:
        value = node.field(right)
        return "class" if value is not None and value.kind() == "class" else "function"

    values = _any_of("arrow_function function_expression generator_function class")
    return Form(makes, _field(left), value=(right,), where={"has": {"field": right, **values}})


def _exported(node: SgNode) -> str:
    return _part("value", "name")(node) or "default"


def _assigned(node: SgNode) -> str:
    return _part("right", "name")(node) or _field("left")(node)


def _ecmascript(field_definition: str, field_name: str) -> dict[str, Form]:
    export = _held("value", "value")
    assignment = _held("left", "right")
    holders = {
        "variable_declarator": _held("name", "value"),
        "pair": _held("key", "value"),
        field_definition: _held(field_name, "value"),
        "assignment_expression": Form(assignment.makes, _assigned, ("right",), assignment.where),
        "export_statement": Form(export.makes, _exported, ("value",), export.where),
    }
    return {
        **_functions("function_declaration generator_function_declaration method_definition"),
        **_classes("class_declaration"),
        **holders,
        **_functions("function_expression"),
        **_classes("class"),
    }


_JAVASCRIPT = _ecmascript("field_definition", "property")
_TYPESCRIPT = {
    **_ecmascript("public_field_definition", "name"),
    **_classes("abstract_class_declaration interface_declaration enum_declaration"),
    "type_alias_declaration": Form("class", _field("name"), value=("value",)),
}


# C and C++: the name is at the bottom of the declarator

_STATEMENTS = frozenset({"if", "for", "while", "switch", "catch", "return", "else", "do"})


def _declared(node: SgNode) -> str:
    inner = node.field("declarator")
    outermost = inner
    while inner is not None and inner.kind().endswith("_declarator"):
        inner = inner.field("declarator") or next(iter(inner.named_children()), None)
    if inner is None or outermost is None:
        return ""
    name = _qualified(inner)
    if name.isupper() and node.field("type") is None:
        return _tidy(outermost.text())  # a macro that writes the function, as in TEST(Suite, Case)
    # Where the code is broken, a statement can look like a function
    return "" if name in _STATEMENTS else name


def _qualified(node: SgNode) -> str:
    parts: list[str] = []
    while node.kind() == "qualified_identifier":
        scope, inner = node.field("scope"), node.field("name")
        if scope is not None:
            parts.append(_bare(scope.text()))
        if inner is None:
            break
        node = inner
    if node.kind() == "template_function":
        node = node.field("name") or node
    last = _tidy(node.text())
    return ".".join([*parts, last.partition("(")[0].strip() if node.kind() == "operator_cast" else last])


_WITH_BODY: Rule = {"has": {"field": "body", "regex": "."}}


def _bodied(kinds: str) -> dict[str, Form]:
    """Classes; without a body such a node only mentions one."""
    name = _field("name")
    return {kind: Form("class", lambda node: _bare(name(node)), where=_WITH_BODY) for kind in kinds.split()}


_C = {
    "function_definition": Form("function", _declared),
    **_bodied("struct_specifier union_specifier enum_specifier"),
    # A struct with no name of its own has that of its typedef
    "type_definition": Form(
        "class",
        lambda node: "" if _part("type", "name")(node) else _field("declarator")(node).lstrip("* "),
        value=("type",),
        where={"has": {"field": "type", **_WITH_BODY}},
    ),
}
_CPP = {**_C, **_bodied("class_specifier")}


# Languages whose names need a closer look

_RECEIVER = re.compile(r"(\w+)\s*(?:\[[^\]]*\]\s*)?,?\s*\)$")


def _go_method(node: SgNode) -> str:
    receiver = _RECEIVER.search(_field("receiver")(node))
    return f"{receiver[1]}.{_field('name')(node)}" if receiver else _field("name")(node)


def _ruby_singleton(node: SgNode) -> str:
    owner = _field("object")(node)
    return _field("name")(node) if owner == "self" else f"{owner}.{_field('name')(node)}"


def _kotlin(node: SgNode) -> str:
    """The grammar has no field for names: the first identifier is the name, behind the type it extends."""
    names = [c for c in node.children() if c.kind() in {"simple_identifier", "type_identifier"}]
    receiver = node.field("receiver")
    own = _tidy(names[0].text()) if names else ""
    return f"{_bare(receiver.text())}.{own}" if receiver is not None else own


_ELIXIR_MODULES = frozenset({"defmodule", "defprotocol", "defimpl"})


def _elixir(node: SgNode) -> str:
    arguments = part(node, "arguments")
    head = next(iter(arguments.named_children()), None) if arguments is not None else None
    if head is not None and head.kind() == "binary_operator" and _field("operator")(head) == "when":
        head = head.field("left")
    if head is None:
        return ""
    return _field("target")(head) if head.kind() == "call" else _tidy(head.text())


def _elixir_kind(node: SgNode) -> ScopeKind:
    return "class" if _field("target")(node) in _ELIXIR_MODULES else "function"


def _haskell(node: SgNode) -> str:
    return _field("name")(node) or _part("infix", "operator")(node)


def _dart_method(node: SgNode) -> str:
    signature = node.find(any=[{"kind": kind} for kind in _DART_SIGNATURES])
    if signature is None:
        return ""
    names = [
        child.text() for child in signature.children() if child.kind() in {"identifier", "binary_operator"}
    ]
    # A named constructor is `Shop.empty`, inside Shop
    return names[1] if len(names) > 1 else "".join(names)


_DART_SIGNATURES = (
    "function_signature",
    "getter_signature",
    "setter_signature",
    "operator_signature",
    "constructor_signature",
    "factory_constructor_signature",
)


def _lua(*path: str) -> Name:
    return lambda node: _part(*path)(node).replace(":", ".")


_LUA_VALUE: Rule = {"field": "value", "kind": "function_definition"}
_ELIXIR_TARGET = "^(?:def|defp|defmacro|defmacrop|defguard|defdelegate|defmodule|defprotocol|defimpl)$"

_HEREDOC = re.compile(r"""<<[-~]?(?:\w{60}|["'`][^"'`]{60})""")


def _has_long_heredoc(text: str) -> bool:
    return _HEREDOC.search(text) is not None


_LANGUAGES: tuple[tuple[str, Grammar], ...] = (
    (
        "py pyi pyw",
        Grammar(
            "python",
            {**_functions("function_definition"), **_classes("class_definition")},
            leads=frozenset({"decorator"}),
        ),
    ),
    ("js mjs cjs jsx", Grammar("javascript", _JAVASCRIPT, leads=frozenset({"decorator"}))),
    ("ts mts cts", Grammar("typescript", _TYPESCRIPT, leads=frozenset({"decorator"}))),
    ("tsx", Grammar("tsx", _TYPESCRIPT, leads=frozenset({"decorator"}))),
    (
        "go",
        Grammar(
            "go",
            {
                **_functions("function_declaration"),
                **_functions("method_declaration", _go_method),
                "type_spec": Form(
                    "class",
                    _field("name"),
                    value=("type",),
                    where={"has": {"field": "type", **_any_of("struct_type interface_type")}},
                ),
            },
        ),
    ),
    (
        "rs",
        Grammar(
            "rust",
            {
                **_functions("function_item macro_definition"),
                **_classes("struct_item enum_item union_item trait_item"),
                **_classes("impl_item", lambda node: _bare(_field("type")(node))),
            },
            leads=frozenset({"attribute_item"}),
        ),
    ),
    (
        "java",
        Grammar(
            "java",
            {
                **_functions("method_declaration constructor_declaration compact_constructor_declaration"),
                **_classes("class_declaration interface_declaration enum_declaration record_declaration"),
                **_classes("annotation_type_declaration"),
            },
        ),
    ),
    ("c", Grammar("c", _C)),
    # A header may be of either language; the grammar of C++ reads nearly all of C
    (
        "h cc cpp cxx c++ hh hpp hxx h++ ipp inl tpp cu cuh ino",
        Grammar("cpp", _CPP, frozenset({"template_parameter_list"})),
    ),
    (
        "cs",
        Grammar(
            "csharp",
            {
                **_functions("method_declaration constructor_declaration local_function_statement"),
                **_functions("property_declaration event_declaration"),
                **_functions("destructor_declaration", lambda node: "~" + _field("name")(node)),
                **_functions("indexer_declaration", _always("this")),
                **_functions("operator_declaration", lambda node: "operator " + _field("operator")(node)),
                **_functions(
                    "conversion_operator_declaration", lambda node: "operator " + _field("type")(node)
                ),
                **_classes("class_declaration struct_declaration interface_declaration enum_declaration"),
                **_classes("record_declaration"),
            },
        ),
    ),
    (
        "rb rake gemspec ru",
        Grammar(
            "ruby",
            {
                **_functions("method"),
                **_functions("singleton_method", _ruby_singleton),
                **_classes("class module"),
            },
            # The scanner keeps the length of a heredoc's word in one byte, and ends the process beyond that
            refused=_has_long_heredoc,
        ),
    ),
    (
        "php phtml inc",
        Grammar(
            "php",
            {
                **_functions("function_definition method_declaration"),
                **_classes("class_declaration interface_declaration trait_declaration enum_declaration"),
            },
        ),
    ),
    (
        "kt kts",
        Grammar(
            "kotlin",
            {
                **_functions("function_declaration", _kotlin),
                **_functions("secondary_constructor", _always("constructor")),
                **_functions("anonymous_initializer", _always("init")),
                **_classes("class_declaration object_declaration", _kotlin),
                **_classes("companion_object", lambda node: _kotlin(node) or "Companion"),
            },
            # The scanner ends the process at about 520 strings inside one another
            refused=lambda text: text.count("${") > 500,
        ),
    ),
    (
        "swift",
        Grammar(
            "swift",
            {
                **_functions("function_declaration"),
                **_functions("init_declaration", _always("init")),
                **_functions("deinit_declaration", _always("deinit")),
                **_functions("subscript_declaration", _always("subscript")),
                "property_declaration": Form(
                    "function",
                    _field("name"),
                    where={"has": _any_of("computed_property willset_didset_block")},
                ),
                **_classes("class_declaration protocol_declaration"),
            },
        ),
    ),
    (
        "scala sc sbt",
        Grammar(
            "scala",
            {
                **_functions("function_definition"),
                **_classes("class_definition object_definition trait_definition enum_definition"),
                **_classes("given_definition package_object"),
            },
        ),
    ),
    (
        "lua",
        Grammar(
            "lua",
            {
                **_functions("function_declaration", _lua("name")),
                "assignment_statement": Form(
                    "function",
                    _lua("variable_list", "name"),
                    value=("expression_list", "value"),
                    where={"has": {"kind": "expression_list", "has": _LUA_VALUE}},
                ),
                "field": Form("function", _lua("name"), value=("value",), where={"has": _LUA_VALUE}),
            },
        ),
    ),
    ("sh bash zsh ksh bats", Grammar("bash", _functions("function_definition"))),
    (
        "ex exs",
        Grammar(
            "elixir",
            {
                "call": Form(
                    _elixir_kind, _elixir, where={"has": {"field": "target", "regex": _ELIXIR_TARGET}}
                ),
            },
        ),
    ),
    (
        "hs",
        Grammar(
            "haskell",
            {
                **_functions("function", _haskell),
                "bind": Form("function", _field("name"), inside_functions=False),
                **_classes("data_type newtype class"),
                **_classes(
                    "instance", lambda node: f"{_field('name')(node)} {_field('patterns')(node)}".strip()
                ),
            },
            leads=frozenset({"signature"}),
        ),
    ),
    (
        "sol",
        Grammar(
            "solidity",
            {
                **_functions("function_definition modifier_definition"),
                **_functions("constructor_definition", _always("constructor")),
                **_functions(
                    "fallback_receive_definition", lambda node: _tidy(node.text()).partition("(")[0]
                ),
                **_classes("contract_declaration interface_declaration library_declaration"),
                **_classes("struct_declaration enum_declaration"),
            },
        ),
    ),
    (
        "dart",
        Grammar(
            "dart",
            {
                **_functions("function_declaration method_declaration", _dart_method),
                **_classes("class_declaration mixin_declaration extension_declaration enum_declaration"),
            },
        ),
    ),
)
_BY_EXTENSION = {extension: grammar for names, grammar in _LANGUAGES for extension in names.split()}
