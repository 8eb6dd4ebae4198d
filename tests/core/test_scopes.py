from __future__ import annotations

import ast
import pickle
import textwrap

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reviewer.core import scopes
from reviewer.core.scopes import Scope, Scopes


def read(text: str, path: str) -> Scopes:
    found = Scopes.read(text, path)
    assert found is not None
    return found


def names(marked: str, path: str) -> tuple[list[str], list[str]]:
    """For source whose lines end in `§` and the name expected there: what is expected, and what is found."""
    rows = [line.partition("§") for line in textwrap.dedent(marked).strip("\n").split("\n")]
    found = read("\n".join(row[0].rstrip() for row in rows), path)
    got = [(scope.name if (scope := found.around(line)) else "") for line in range(1, len(rows) + 1)]
    return [row[2].strip() for row in rows], got


SOURCES = {
    "shop.py": """
        import os                            §

        @app.route("/pay")                   § pay
        # who may do this                    § pay
        @login_required                      § pay
        async def pay(                       § pay
            order,                           § pay
        ):                                   § pay
            def inner():                     § pay.inner
                return order                 § pay.inner
            return inner                     § pay

        class Shop(Base):                    § Shop
            rate = 1                         § Shop
            @property                        § Shop.total
            def total(self) -> int:          § Shop.total
                class Local:                 § Shop.total.Local
                    x = 1                    § Shop.total.Local

        double = lambda x: 2 * x             §
        """,
    "shop.js": """
        const pay = async (order) => {       § pay
          return order.lines.map((l) => {    § pay
            return l.price;                  § pay
          });                                § pay
        };                                   § pay

        function* walk() {                   § walk
        }                                    § walk
        const api = {                        §
          list() {                           § list
          },                                 § list
          find: function (id) {              § find
          },                                 § find
          'drop-all': () => {                § drop-all
          },                                 § drop-all
        };                                   §
        class Cart extends React.Component { § Cart
          handle = () => {                   § Cart.handle
          };                                 § Cart.handle
          static #key() {                    § Cart.#key
          }                                  § Cart.#key
          get size() { return 1; }           § Cart.size
        }                                    § Cart
        Cart.prototype.old = function () {   § Cart.prototype.old
        };                                   § Cart.prototype.old
        const Named = class Inner {          § Named
          run() {                            § Named.run
          }                                  § Named.run
        };                                   § Named
        const Row = memo(function Row() {    § Row
          return 1;                          § Row
        });                                  § Row
        items.forEach((item) => {            §
          send(item);                        §
        });                                  §
        module.exports = class Store {       § Store
        };                                   § Store
        """,
    "page.jsx": """
        export default function () {         § default
          return <div onClick={() => {       § default
          }}/>;                              § default
        }                                    § default
        """,
    "shop.ts": """
        @Injectable()                        § Shop
        export class Shop<T> extends Base {  § Shop
          @Input() name: string;             § Shop
          @Get("/pay")                       § Shop.pay
          @Roles("clerk")                    § Shop.pay
          async pay(id: string) {            § Shop.pay
          }                                  § Shop.pay
          retry = async (n: number) => {     § Shop.retry
          };                                 § Shop.retry
        }                                    § Shop
        abstract class Base {                § Base
          abstract run(): void;              § Base
        }                                    § Base
        interface Order {                    § Order
          id: string;                        § Order
        }                                    § Order
        type Props = {                       § Props
          id: string;                        § Props
        };                                   § Props
        enum Color { Red }                   § Color
        namespace N {                        §
          export function inner() {          § inner
          }                                  § inner
        }                                    §
        """,
    "page.tsx": """
        export const Page = <T,>(p: T) => {  § Page
          return <div/>;                     § Page
        };                                   § Page
        """,
    "server.go": """
        package main                         §
        type Server struct {                 § Server
          port int                           § Server
        }                                    § Server
        type (                               §
          Runner interface {                 § Runner
            Run()                            § Runner
          }                                  § Runner
          Id int                             §
        )                                    §
        func (s *Server) Start() error {     § Server.Start
          go func() {                        § Server.Start
          }()                                § Server.Start
          return nil                         § Server.Start
        }                                    § Server.Start
        func (Stack[T]) Pop() (x T) {        § Stack.Pop
        }                                    § Stack.Pop
        func Map[T any](x T) T {             § Map
          return x                           § Map
        }                                    § Map
        """,
    "stack.rs": """
        #[derive(Debug)]                     § Stack
        // Last in, first out                § Stack
        pub struct Stack<T> {                § Stack
            items: Vec<T>,                   § Stack
        }                                    § Stack
        impl<T: Clone> Stack<T> {            § Stack
            #[inline]                        § Stack.pop
            #[must_use]                      § Stack.pop
            pub fn pop(&mut self) -> T {     § Stack.pop
                self.items.map(|x| {         § Stack.pop
                    x                        § Stack.pop
                })                           § Stack.pop
            }                                § Stack.pop
        }                                    § Stack
        impl fmt::Display for a::Point {     § a.Point
            fn fmt(&self) {                  § a.Point.fmt
            }                                § a.Point.fmt
        }                                    § a.Point
        trait Run { fn run(&self) {} }       § Run.run
        enum Color { Red }                   § Color
        macro_rules! all { () => {} }        § all
        mod tests {                          §
            fn works() {                     § works
            }                                § works
        }                                    §
        """,
    "Shop.java": """
        package shop;                        §
        @Service                             § Shop
        public class Shop<T> extends Base {  § Shop
          private int rate;                  § Shop
          public Shop() {                    § Shop.Shop
          }                                  § Shop.Shop
          @Override                          § Shop.pay
          public <T> int pay(int x)          § Shop.pay
              throws Broke {                 § Shop.pay
            run(() -> {                      § Shop.pay
            });                              § Shop.pay
          }                                  § Shop.pay
          enum Color { RED }                 § Shop.Color
        }                                    § Shop
        record Point(int x) {                § Point
          Point {                            § Point.Point
          }                                  § Point.Point
        }                                    § Point
        interface Runner { void run(); }     § Runner.run
        @interface Marker {}                 § Marker
        """,
    "list.c": """
        #include <a.h>                       §
        static int                           § count
        count(struct list *l)                § count
        {                                    § count
          return 0;                          § count
        }                                    § count
        char **names(int a) {                § names
        }                                    § names
        static int __init setup(void) {      § setup
        }                                    § setup
        struct list {                        § list
          int a;                             § list
        };                                   § list
        typedef struct {                     § pair
          int a;                             § pair
        } pair;                              § pair
        typedef struct node { int a; } *P;   § node
        union u { int a; };                  § u
        struct list head = { 1 };            §
        """,
    "stack.cpp": """
        namespace shop {                     §
        template <typename T>                § Stack
        class Stack : public Base {          § Stack
         public:                             § Stack
          ~Stack() {}                        § Stack.~Stack
          T* top() const {                   § Stack.top
          }                                  § Stack.top
          bool operator==(const S& o) { }    § Stack.operator==
          operator bool() const { }          § Stack.operator bool
        };                                   § Stack
        template <typename T>                § Stack.at
        T& Stack<T>::at(int i)               § Stack.at
        {                                    § Stack.at
          auto f = [](int x) {               § Stack.at
          };                                 § Stack.at
        }                                    § Stack.at
        void ns::Door::open() {}             § ns.Door.open
        Door::operator bool() const { }      § Door.operator bool
        int (*getter(int x))(int) { }        § getter
        template <> void f<int>(int a) {}    § f
        TEST(Door, Opens) {                  § TEST(Door, Opens)
        }                                    § TEST(Door, Opens)
        enum class Color { RED };            § Color
        }                                    §
        """,
    "door.h": """
        class Door {                         § Door
          void open() {                      § Door.open
          }                                  § Door.open
        };                                   § Door
        """,
    "Shop.cs": """
        namespace A.B {                      §
          [Serializable]                     § Shop
          public class Shop : IShop {        § Shop
            public Shop(int x) : base(x) {   § Shop.Shop
            }                                § Shop.Shop
            [HttpGet]                        § Shop.Pay
            public async Task<int> Pay<T>(   § Shop.Pay
              T x) where T : class           § Shop.Pay
            {                                § Shop.Pay
              int Local(int y) { }           § Shop.Pay.Local
            }                                § Shop.Pay
            public int Total {               § Shop.Total
              get { return 1; }              § Shop.Total
            }                                § Shop.Total
            public int this[int i] => 1;     § Shop.this
            public static A operator +(A a) => a; § Shop.operator +
            public static implicit operator int(A a) => 1; § Shop.operator int
            ~Shop() { }                      § Shop.~Shop
          }                                  § Shop
          public record Order(int Id);       § Order
          struct Pair { }                    § Pair
        }                                    §
        """,
    "pay.rb": """
        module Pay                           § Pay
          class Shop < Base                  § Pay.Shop
            RATE = 1                         § Pay.Shop
            def self.build(x)                § Pay.Shop.build
              x.each do |y|                  § Pay.Shop.build
              end                            § Pay.Shop.build
            end                              § Pay.Shop.build
            class << self                    § Pay.Shop
              def other; end                 § Pay.Shop.other
            end                              § Pay.Shop
            def pay!(x) = x                  § Pay.Shop.pay!
            def []=(i, v)                    § Pay.Shop.[]=
            end                              § Pay.Shop.[]=
          end                                § Pay.Shop
          class A::B                         § Pay.A.B
          end                                § Pay.A.B
        end                                  § Pay
        """,
    "shop.php": """
        <?php                                §
        namespace A;                         §
        #[Entity]                            § Shop
        final class Shop extends Base {      § Shop
          #[Route("/pay")]                   § Shop.pay
          public function pay(): int         § Shop.pay
          {                                  § Shop.pay
            $f = function () {               § Shop.pay
            };                               § Shop.pay
          }                                  § Shop.pay
        }                                    § Shop
        trait Loud { function x() {} }       § Loud.x
        interface Quiet {}                   § Quiet
        function top() {                     § top
        }                                    § top
        """,
    "Shop.kt": """
        package a                            §

        @Serializable                        § Order
        data class Order(val id: Int) {      § Order
            companion object {               § Order.Companion
                fun of(id: Int) = Order(id)  § Order.Companion.of
            }                                § Order.Companion
            constructor(x: String) : this(1) { § Order.constructor
            }                                § Order.constructor
            init {                           § Order.init
            }                                § Order.init
            @Test                            § Order.pays once
            fun `pays once`() {              § Order.pays once
                run { x -> x }               § Order.pays once
            }                                § Order.pays once
        }                                    § Order

        object Registry {                    § Registry
            fun add() {                      § Registry.add
            }                                § Registry.add
        }                                    § Registry
        fun String?.shout(): String {        § String.shout
            return ""                        § String.shout
        }                                    § String.shout
        """,
    "Shop.swift": """
        @MainActor                           § Shop
        struct Shop: View {                  § Shop
            var rate = 1                     § Shop
            var body: some View {            § Shop.body
                Text("a")                    § Shop.body
            }                                § Shop.body
            init(a: Int) {                   § Shop.init
            }                                § Shop.init
            @discardableResult               § Shop.pay
            func pay(_ x: Int) -> Int {      § Shop.pay
                return x                     § Shop.pay
            }                                § Shop.pay
            subscript(i: Int) -> Int { 1 }   § Shop.subscript
            deinit { }                       § Shop.deinit
        }                                    § Shop
        extension Array where Element: A {   § Array
            static func make() -> Int { 1 }  § Array.make
        }                                    § Array
        extension Foo.Bar { func z() {} }    § Foo.Bar.z
        protocol Runner { func run() }       § Runner
        """,
    "Shop.scala": """
        package a                            §
        @Entity                              § Order
        case class Order(id: Int) {          § Order
          @tailrec                           § Order.pay
          def pay(x: Int): Int = {           § Order.pay
            x                                § Order.pay
          }                                  § Order.pay
        }                                    § Order
        object Order:                        § Order
          def of(x: Int) =                   § Order.of
            Order(x)                         § Order.of

        trait Named:                         § Named
          def name: String                   § Named

        val x = 1                            §
        """,
    "shop.lua": """
        local M = {}                         §
        function M.pay(x)                    § M.pay
          return x                           § M.pay
        end                                  § M.pay
        function M:run() end                 § M.run
        local f = function(a)                § f
          return a                           § f
        end                                  § f
        M.g = function() end                 § M.g
        local t = {                          §
          h = function() end,                § h
        }                                    §
        """,
    "deploy.sh": """
        set -e                               §
        deploy() {                           § deploy
          echo 1                             § deploy
        }                                    § deploy
        function build {                     § build
          echo 2                             § build
        }                                    § build
        """,
    "cart.ex": """
        defmodule Shop.Cart do               § Shop.Cart
          @doc "x"                           § Shop.Cart
          def total(items) when items > 1 do § Shop.Cart.total
            Enum.map(items, fn x ->          § Shop.Cart.total
              x                              § Shop.Cart.total
            end)                             § Shop.Cart.total
          end                                § Shop.Cart.total
          defp helper, do: 1                 § Shop.Cart.helper
          defmacro twice(x) do               § Shop.Cart.twice
          end                                § Shop.Cart.twice
        end                                  § Shop.Cart
        defimpl String.Chars, for: Cart do   § String.Chars
          def to_string(c), do: c            § String.Chars.to_string
        end                                  § String.Chars
        """,
    "Main.hs": """
        module Main where                    §
        data Shape = Circle                  § Shape
          { r :: Double }                    § Shape
        class Area a where                   § Area
          area :: a -> Double                § Area
        instance Area Shape where            § Area Shape
          area (Circle x) =                  § Area Shape.area
            x * x                            § Area Shape.area

        pay :: Int -> Int                    § pay
        pay n =                              § pay
          go n                               § pay
          where                              § pay
            go m = m                         § pay.go

        main = do                            § main
          let y = 1                          § main
          print y                            § main
        """,
    "Token.sol": """
        contract Token is ERC20 {            § Token
          struct P { uint a; }               § Token.P
          modifier onlyOwner() { _; }        § Token.onlyOwner
          constructor() { }                  § Token.constructor
          function pay(uint a) public {      § Token.pay
            return;                          § Token.pay
          }                                  § Token.pay
          receive() external payable { }     § Token.receive
        }                                    § Token
        """,
    "shop.dart": """
        class Shop extends Base {            § Shop
          @override                          § Shop.build
          Widget build(BuildContext c) {     § Shop.build
            return Text('a');                § Shop.build
          }                                  § Shop.build
          int get total => 1;                § Shop.total
          factory Shop.of() { return A(); }  § Shop.of
        }                                    § Shop
        void main() {                        § main
        }                                    § main
        """,
}


@pytest.mark.parametrize("path", SOURCES)
def test_each_line_has_the_name_of_its_definition(path):
    expected, found = names(SOURCES[path], path)
    assert expected == found


PY = '''\
@decorated
def pay(
    order,
):
    """Doc."""
    return order


class Shop: pass
'''


def test_a_scope_has_its_kind_and_lines_with_decorators():
    found = read(PY, "a/b.py")
    assert found.around(6) == Scope("pay", "function", first=1, last=6, signature_last=4)
    assert found.around(9) == Scope("Shop", "class", first=9, last=9, signature_last=9)


@pytest.mark.parametrize(
    ("path", "text", "header"),
    [
        ("a.c", "static int\nf(void)\n{\n}\n", 2),
        ("a.ts", "class A {\n  run(\n    a: string,\n  ): void {\n    x();\n  }\n}\n", 4),
        ("a.js", "const f = async (\n  a,\n) => {\n  // why\n  return 1;\n};\n", 3),
        ("a.go", "type A struct {\n\tb int\n}\n", 1),
        ("a.rs", "impl A for B\nwhere\n    T: C,\n{\n}\n", 3),
        ("a.py", "def f():\n    # why\n    return 1\n", 1),
        ("a.lua", "local f = function(a,\n  b)\n  return a\nend\n", 2),
        ("a.ex", "def f(a,\n      b) do\n  a\nend\n", 2),
        ("a.kt", "fun f(\n  a: Int\n): Int {\n  return a\n}\n", 3),
        ("a.java", "interface A {\n  int f(\n    int a);\n}\n", 3),
        ("a.py", "def f(\n" + "    a,\n" * 30 + "): pass\n", 10),
    ],
)
def test_the_header_ends_where_the_body_begins_or_after_ten_lines(path, text, header):
    found = read(text, path)
    scope = found.around(2 if path != "a.go" else 1)
    assert scope is not None
    assert header == scope.signature_last


def test_a_chain_goes_from_the_outside_in():
    found = read("class A:\n    def b(self):\n        def c():\n            pass\n", "x.py")
    assert [scope.name for scope in found.chain(4)] == ["A", "A.b", "A.b.c"]
    assert [scope.kind for scope in found.chain(4)] == ["class", "function", "function"]
    assert found.chain(9) == ()


@pytest.mark.parametrize("path", ["a.txt", "Makefile", "py", ".gitignore", "a.py.orig", "dir.py/notes", ""])
def test_a_file_of_no_known_language_gives_none(path):
    assert Scopes.read("def f(): pass\n", path) is None


def test_the_extension_may_be_in_capitals():
    assert read("def f(): pass\n", "A.PY").around(1) is not None


@pytest.mark.parametrize("text", ["", "\n", "\n\n\n", "\ufeff", "\0", "\r"])
@pytest.mark.parametrize("path", SOURCES)
def test_an_empty_file_has_no_definition(path, text):
    found = Scopes.read(text, path)
    assert found is None or found.around(1) is None


@pytest.mark.parametrize(
    "odd",
    [
        *("a\rb", "\r", "\f", "\v", "\x85", "\u2028", "\u2029", "\x1c\x1d\x1e"),
        *("é", "😀😀", "日本", "e\u0301", "\ufeff"),
        *("\0", "\udcff", "\ud800", "\udc80\udcff"),
    ],
)
@pytest.mark.parametrize(
    ("path", "before", "around"),
    [
        ("a.py", 'x = "{}"\n# {}\n', 'def f():\n    y = "{}"\n    return y\n'),
        ("a.ts", 'const x = "{}";\n// {}\n', 'function f() {{ // {}\n  return "{}";\n}}\n'),
        ("a.go", "package a // {}\n// {}\n", 'func f() {{ // {}\n\treturn "{}"\n}}\n'),
        ("a.rb", "x = '{}'\n# {}\n", "def f\n  '{}'\nend\n"),
        ("a.cpp", "// {}\n/* {} */\n", 'void f() {{\n  g("{}");\n}}\n'),
    ],
)
def test_odd_characters_move_no_line(path, before, around, odd):
    text = before.replace("{}", odd) + around.replace("{}", odd).replace("{{", "{").replace("}}", "}")
    scope = read(text + "\n\n", path).around(4)
    assert scope is not None
    assert (scope.name, scope.first, scope.last) == ("f", 3, 5)


def test_carriage_returns_before_newlines_count_once():
    found = read("a = 1\r\n\r\ndef f():\r\n    pass\r\n\r\nb = 1\r\n", "a.py")
    assert found.around(4) == Scope("f", "function", 3, 4, 3)
    assert found.around(5) is None


@pytest.mark.parametrize(
    ("path", "text", "line", "name"),
    [
        (
            "a.py",
            "def good():\n    return 1\n\ndef bad():\n    x = = 2\n\ndef after():\n    pass\n",
            8,
            "after",
        ),
        ("a.ts", "function good() {\n  if (\n}\n\nfunction after() {\n  return 1;\n}\n", 6, "after"),
        ("a.go", "func good() {\n  x := \n}\n\nfunc after() {\n\treturn\n}\n", 6, "after"),
        ("a.java", "class A {\n  void b() {\n    int x = ;\n  }\n  void c() {\n    d();\n  }\n", 6, "c"),
    ],
)
def test_broken_source_gives_what_stands_round_the_fault(path, text, line, name):
    scope = read(text, path).around(line)
    assert scope is not None
    assert scope.name.rpartition(".")[2] == name


def test_a_statement_in_broken_code_is_no_function():
    found = read("void f() {\n  a();\n}\n}\n} else if (x) {\n  b();\n}\n", "a.c")
    assert {"f"} == {scope.name for line in range(1, 8) if (scope := found.around(line))}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.py", "x = " + "(" * 2_000 + ")" * 2_000 + "\n"),
        ("a.py", "x = (\n" + "(\n" * 5_000 + ")\n" * 5_000 + ")\n"),
        ("a.ts", "{\n" * 5_000 + "}\n" * 5_000),
        ("a.ts", "{\n" * 5_000),
        ("a.go", "func f() {\n" + "{\n" * 5_000 + "}\n" * 5_000 + "}\n"),
        ("a.js", "function f() {\n" * 5_000 + "}\n" * 5_000),
        ("a.js", "(function f() {\n" * 5_000 + "})\n" * 5_000),
        ("a.rb", "module A\n" * 5_000 + "end\n" * 5_000),
    ],
)
def test_deep_nesting_is_survived(path, text):
    found = Scopes.read(text, path)
    assert found is None or len(found.chain(2_500)) <= scopes.MAX_DEPTH


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.kt", '"${' * 600),
        ("a.rb", "<<" + "A" * 600 + "\n"),
        ("a.rb", '<<~"' + "é" * 300 + '"\n'),
        ("a.js", "function f(){}" * 1_000),
        ("a.py", "# line\n" * 200_000),
    ],
)
def test_text_that_the_parser_would_not_survive_or_not_in_time_is_not_read(path, text):
    assert Scopes.read(text, path) is None


def test_a_long_name_is_cut():
    scope = read(f"def {'f' * 500}():\n    pass\n", "a.py").around(1)
    assert scope is not None
    assert len(scope.name) == scopes.MAX_NAME


def test_scopes_travel_between_processes():
    found = read(PY, "a.py")
    copy: Scopes = pickle.loads(pickle.dumps(found))  # noqa: S301 - made on the line itself
    assert [copy.chain(line) for line in range(12)] == [found.chain(line) for line in range(12)]


@st.composite
def modules(draw: st.DrawFn) -> str:
    """Python modules of nested definitions with decorators, comments, blank lines and long headers."""
    lines: list[str] = []

    def block(indent: str, depth: int) -> None:
        for number in range(draw(st.integers(0, 3))):
            lines.extend([""] * draw(st.integers(0, 2)))
            what = draw(st.sampled_from(["def", "async def", "class", "if", "plain", "text"]))
            name = f"n{depth}_{number}"
            if what == "plain":
                lines.append(f"{indent}{name} = lambda: [1]  # é {what}")
            elif what == "text":
                lines.extend([f'{indent}{name} = """', "def not_one():", '    """'])
            elif what == "if":
                lines.append(f"{indent}if {name}:")
                body(indent, depth)
            else:
                lines.extend([f"{indent}@decorator(1)"] * draw(st.integers(0, 2)))
                wide = draw(st.booleans())
                arguments = f"(\n{indent}    a,\n{indent})" if wide else "()"
                lines.extend(f"{indent}{what} {name}{arguments}:".split("\n"))
                body(indent, depth)

    def body(indent: str, depth: int) -> None:
        lines.append(f"{indent}    # begins")
        if depth < 4:
            block(indent + "    ", depth + 1)
        lines.append(f"{indent}    pass")

    block("", 0)
    return "\n".join(lines) + "\n" * draw(st.integers(0, 2))


def truth(text: str) -> dict[int, str]:
    """The name round each line, by the language's own parser."""
    found: dict[int, str] = {}

    def walk(node: ast.AST, outer: str) -> None:
        for child in ast.iter_child_nodes(node):
            name = outer
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                name = f"{outer}.{child.name}".lstrip(".")
                first = min([child.lineno, *(d.lineno for d in child.decorator_list)])
                found.update(dict.fromkeys(range(first, (child.end_lineno or first) + 1), name))
            walk(child, name)

    walk(ast.parse(text), "")
    return found


@settings(max_examples=200, deadline=None)
@given(modules())
def test_python_definitions_are_where_python_says(text):
    found = read(text, "m.py")
    lines = range(1, text.count("\n") + 2)
    assert truth(text) == {line: scope.name for line in lines if (scope := found.around(line))}


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(), max_size=200), st.sampled_from(sorted(SOURCES)))
def test_no_text_is_refused_with_an_error(text, path):
    found = Scopes.read(text, path)
    lines = text.count("\n") + 1
    if found is not None:
        for line in range(lines + 2):
            for scope in found.chain(line):
                assert scope.first <= line <= scope.last <= lines
                assert scope.first <= scope.signature_last <= min(scope.last, scope.first + 9)
