"""JSON values to XML, compiled: one generated function per complex type, which checks and renders in a single pass.

The generated code takes the common path only and raises (``KeyError``, ``TypeError``, ``AttributeError`` or ``ValueError``) at
the first thing that does not fit; ``checker.py`` then finds out everything that was wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from gateway.protocols.soap import leaves, lexical
from gateway.protocols.soap.form import (
    WILDCARD_SYMBOL,
    AnySlot,
    Block,
    Form,
    FormNode,
    Items,
    Slot,
    form_of,
    keys,
    names_of,
    nullable,
)
from gateway.protocols.soap.model import (
    ANY_TYPE,
    XML,
    XSI,
    ArrayType,
    Attribute,
    ComplexType,
    Contract,
    Element,
    SimpleType,
    local,
    namespace,
)
from gateway.protocols.soap.order import matcher
from gateway.protocols.soap.program import Program
from gateway.protocols.soap.wildcards import AnyWriter, Unfit, escape_attribute

ElementWriter = Callable[[object], str]
Pieces = list[tuple[bool, str]]
"""Alternating text constants (True, text) and expressions (False, source)."""


class Prefixes:
    """The namespace prefixes an envelope declares once, at its root."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {XML: "xml", XSI: "xsi"}

    def name(self, clark: str) -> str:
        space = namespace(clark)
        if not space:
            return clark
        return f"{self._known.setdefault(space, f'n{len(self._known) - 2}')}:{local(clark)}"

    def declarations(self) -> str:
        pairs = ((prefix, space) for space, prefix in self._known.items() if space != XML)
        return "".join(f' xmlns:{prefix}="{escape_attribute(space)}"' for prefix, space in pairs)


class WriterCompiler:
    """Compiles element writers of one contract; they share functions, constants and prefixes."""

    def __init__(self, contract: Contract) -> None:
        self.prefixes = Prefixes()
        self._contract = contract
        self._functions: dict[str, str] = {}
        self._dispatch: dict[str, str] = {}
        self._pending: list[tuple[str, ComplexType]] = []
        self._tables: list[tuple[dict[str, tuple[str, Any]], str, str, str]] = []
        self._program = Program(Unfit=Unfit, plain=leaves.plain)
        self._any = AnyWriter(contract, self)
        self._open = False

    def compile(self, elements: Iterable[Element]) -> list[ElementWriter]:
        """A function from JSON value to the element's XML, for each element."""
        names = [self._element_function(element) for element in elements]
        while self._pending:
            self._define(*self._pending.pop())
        self._program.build()
        for table, type_name, function, prefix in self._tables:
            table[type_name] = (prefix, self._program.function(function))
        self._tables.clear()
        if self._open:
            self._reserve()
        return [self._program.function(name) for name in names]

    def _reserve(self) -> None:
        """Prefixes for every namespace of the contract: what open content may hold is compiled when the envelope's start, which
        declares them, is long rendered."""
        self._open = False
        for key, type in self._contract.types.items():
            self.prefixes.name(key)
            for name in names_of(type):
                self.prefixes.name(name)
        for name in self._contract.elements:
            self.prefixes.name(name)

    def _element_function(self, element: Element) -> str:
        body = _Body(self._program)
        pieces = self._element(body, element, "x")
        body.line(f"return {body.join(pieces)}")
        name = self._program.object(None)
        self._program.define(f"{name}(x)", body.lines)
        return name

    # --- elements ----------------------------------------------------------------------------------------------------

    def _element(self, body: _Body, element: Element, x: str) -> Pieces:
        """Statements that check variable ``x``, and the pieces of the element's XML."""
        name = self.prefixes.name(element.name)
        nil = self._program.text(f'<{name} xsi:nil="true"/>')
        type = self._contract.types[element.type]
        if element.type == ANY_TYPE or isinstance(type, ArrayType):
            self._open = True
            write = self._program.object(self._any.element(name, element.nillable))
            return [(False, f"{write}({x})")]
        if isinstance(type, SimpleType) and type.builtin in lexical.QUALIFIED:
            write = self._program.object(_qname_element(name, type, element))
            return [(False, f"{write}({x})")]
        if isinstance(type, SimpleType):
            pieces = [(True, f"<{name}>"), (False, x), (True, f"</{name}>")]
            if not element.nillable:
                self._leaf(body, type, x, element.fixed)
                return pieces
            body.line(f"if {x} is None: {x} = {nil}")
            with body.block("else:"):
                self._leaf(body, type, x, element.fixed)
                body.line(f"{x} = {body.join(pieces)}")
            return [(False, x)]
        call = self._type_function(element.type)
        pieces = [(True, f"<{name}"), (False, f"{call}({x})"), (True, f"</{name}>")]
        if not element.nillable:
            return pieces
        attributes = self._program.object(self._nil_writer(name, type))
        needed = any(attribute.required for attribute in type.attributes)
        body.line(f"if {x} is None: {'raise Unfit' if needed else f'{x} = {nil}'}")
        body.line(f'elif "$nil" in {x}: {x} = {attributes}({x})')
        body.line(f"else: {x} = {body.join(pieces)}")
        return [(False, x)]

    def _nil_writer(self, name: str, declared: ComplexType) -> ElementWriter:
        """The writer of ``{"$nil": true, ...}``: attributes, and the name of a derived type when it has one."""
        known: dict[object, tuple[str, frozenset[str], dict[str, ElementWriter], bool]] = {}
        for key in (declared.key, *self._contract.derived.get(declared.key, ())):
            type = self._contract.types[key]
            if isinstance(type, ComplexType) and (key == declared.key or not type.abstract):
                form = form_of(type)
                attributes = form.attributes
                writers = {k: attribute_writer(self.prefixes.name(a.name), a) for k, a in attributes}
                said = "" if key == declared.key else f' xsi:type="{self.prefixes.name(key)}"'
                required = frozenset(k for k, a in attributes if a.required)
                known[key] = (said, required, writers, form.any_attribute is not None)

        def write(value: Any) -> str:
            if value["$nil"] is not True or value.get("$type", "") == declared.key:
                raise Unfit
            said, required, writers, free = known[value.get("$type", declared.key)]
            if not required <= value.keys():
                raise Unfit
            extra, count = self._any.attributes(value, writers.keys()) if free else ("", 0)
            own = [writers[key](item) for key, item in value.items() if key in writers]
            if len(own) + count + len(value.keys() & {"$nil", "$type"}) != len(value):
                raise Unfit
            return f'<{name} xsi:nil="true"{said}{"".join(own)}{extra}/>'

        return write

    def _leaf(self, body: _Body, type: SimpleType, x: str, fixed: str | None = None) -> None:
        """Statements that turn the JSON value ``x`` into checked, escaped text."""
        for line in leaves.write_lines(self._program, leaves.fixed(type, fixed), x):
            body.line(line)

    # --- complex types -----------------------------------------------------------------------------------------------

    def _type_function(self, key: str) -> str:
        """The function that renders a value of that type or one derived from it: attributes, ``>``, content."""
        derived = self._contract.derived.get(key, ())
        if not derived:
            return self._exact_function(key)
        if key not in self._dispatch:
            self._dispatch[key] = name = self._program.object(None)
            table: dict[str, tuple[str, Any]] = {}
            for choice in (key, *derived):
                type = self._contract.types[choice]
                if isinstance(type, ComplexType) and not type.abstract:
                    prefix = f' xsi:type="{self.prefixes.name(choice)}"' if choice != key else ""
                    self._tables.append((table, choice, self._exact_function(choice), prefix))
            tables, own = self._program.object(table), self._program.text(key)
            self._program.define(
                f"{name}(v)",
                [
                    f'p, f = {tables}[v["$type"] if "$type" in v else {own}]',
                    'return p + f(v, "$type" in v)',
                ],
            )
        return self._dispatch[key]

    def _exact_function(self, key: str) -> str:
        if key not in self._functions:
            type = self._contract.types[key]
            assert isinstance(type, ComplexType)
            self._functions[key] = self._program.object(None)
            if type.key == ANY_TYPE:
                raise Unfit("a type derived to anyType")
            self._pending.append((self._functions[key], type))
        return self._functions[key]

    def _define(self, name: str, type: ComplexType) -> None:
        form = form_of(type)
        body = _Body(self._program)
        body.line("if v.__class__ is not dict: raise Unfit")
        pieces = self._attributes(body, form)
        pieces.append((True, ">"))
        if form.kind == "simple" and form.simple is not None:
            body.line('x = v["$value"]')
            body.count += 1
            self._leaf(body, form.simple, "x")
            pieces.append((False, "x"))
        elif form.root is not None:
            pieces += self._node(body, form.root, certain=True)
        body.line(f"if len(v) != n + {body.count}: raise Unfit")
        body.line(f"return {body.join(pieces)}")
        self._program.define(f"{name}(v, n=0)", body.lines)

    def _attributes(self, body: _Body, form: Form) -> Pieces:
        pieces: Pieces = []
        for key, attribute in form.attributes:
            write = self._program.object(attribute_writer(self.prefixes.name(attribute.name), attribute))
            parts = [(False, f"{write}(v[{self._program.text(key)}])")]
            if attribute.required:
                body.count += 1
                pieces += parts
            else:
                pieces.append((False, self._optional(body, [key], lambda inner, parts=parts: parts, used=1)))  # type: ignore[misc]
        if form.any_attribute is not None:
            known = self._program.object(frozenset(key for key, _ in form.attributes))
            extra = body.variable()
            body.line(f"{extra}, m = {self._program.object(self._any.attributes)}(v, {known})")
            body.line("n += m")
            pieces.append((False, extra))
        return pieces

    # --- content -----------------------------------------------------------------------------------------------------

    def _node(self, body: _Body, node: FormNode, certain: bool) -> Pieces:
        """Statements and pieces for a node. ``certain``: whoever called knows that it has to be there, if it must be anywhere."""
        if isinstance(node, Slot):
            return self._slot(body, node, certain)
        if isinstance(node, Items):
            return self._single(body, node.key, self._items(node), certain and node.required)
        if isinstance(node, AnySlot):
            self._open = True
            write = self._program.object(self._any.slot(node.wildcard, node.repeated))
            return self._single(body, node.key, write, certain and node.wildcard.min > 0)
        if node.kind == "choice":
            return self._choice(body, node, certain)
        if node.required and certain:
            return [piece for child in node.nodes for piece in self._node(body, child, True)]
        return [(False, self._optional(body, list(keys(node)), lambda inner: self._all(inner, node.nodes)))]

    def _all(self, body: _Body, nodes: Iterable[FormNode]) -> Pieces:
        return [piece for child in nodes for piece in self._node(body, child, True)]

    def _single(self, body: _Body, key: str, write: str, required: bool) -> Pieces:
        parts: Pieces = [(False, f"{write}(v[{self._program.text(key)}])")]
        if required:
            body.count += 1
            return parts
        return [(False, self._optional(body, [key], lambda inner: parts, used=1))]

    def _slot(self, body: _Body, slot: Slot, certain: bool) -> Pieces:
        if certain and slot.min > 0:
            body.count += 1
            return self._present(body, slot)
        return [(False, self._optional(body, [slot.key], lambda inner: self._present(inner, slot), used=1))]

    def _present(self, body: _Body, slot: Slot) -> Pieces:
        x = body.variable()
        body.line(f"{x} = v[{self._program.text(slot.key)}]")
        return self._list(body, slot, x) if slot.repeated else self._element(body, slot.element, x)

    def _list(self, body: _Body, slot: Slot, x: str) -> Pieces:
        body.line(f"if {x}.__class__ is not list: raise Unfit")
        if slot.max is not None:
            body.line(f"if len({x}) > {slot.max}: raise Unfit")
        if slot.min:
            body.line(f"if len({x}) < {slot.min}: raise Unfit")
        type = self._contract.types[slot.element.type]
        if isinstance(type, ComplexType) and not slot.element.nillable and type.key != ANY_TYPE:
            name = self.prefixes.name(slot.element.name)
            start, middle, end = (self._program.text(t) for t in (f"<{name}", f"</{name}><{name}", f"</{name}>"))
            call = self._type_function(slot.element.type)
            body.line(f'{x} = f"{{{start}}}{{{middle}.join([{call}(y) for y in {x}])}}{{{end}}}" if {x} else ""')
        else:
            body.line(f'{x} = "".join(map({self._element_function(slot.element)}, {x}))')
        return [(False, x)]

    def _optional(self, body: _Body, names: list[str], fill: Callable[[_Body], Pieces], used: int = 0) -> str:
        """A variable holding what ``fill`` renders when any of the keys is present, else ""."""
        result = body.variable()
        with body.block(f"if {self._presence(names)}:"):
            outer, body.count = body.count, used
            pieces = fill(body)
            body.line(f"{result} = {body.join(pieces)}")
            body.line(f"n += {body.count}")
            body.count = outer
        body.line(f'else: {result} = ""')
        return result

    def _presence(self, names: list[str]) -> str:
        if len(names) == 1:
            return f"{self._program.text(names[0])} in v"
        return f"not {self._program.object(frozenset(names))}.isdisjoint(v)"

    def _choice(self, body: _Body, block: Block, certain: bool) -> Pieces:
        result = body.variable()
        word = "if"
        for child in block.nodes:
            with body.block(f"{word} {self._presence(list(keys(child)))}:"):
                outer, body.count = body.count, 0
                if isinstance(child, Slot):
                    body.count = 1
                    pieces = self._present(body, child)
                else:
                    pieces = self._node(body, child, True)
                body.line(f"{result} = {body.join(pieces)}")
                body.line(f"n += {body.count}")
                body.count = outer
            word = "elif"
        missing = "raise Unfit" if certain and not nullable(block) else f'{result} = ""'
        body.line(f"else: {missing}")
        return [(False, result)]

    def _items(self, node: Items) -> str:
        """The name of a function that renders an ordered array."""
        elements = {slot.key: (slot.symbol, self._element_function(slot.element)) for slot in node.slots}
        table: dict[str, tuple[str, Any]] = {}
        for key, (symbol, function) in elements.items():
            self._tables.append((table, key, function, symbol))
        matches = matcher(node.model)
        other = self._any.item(node.wildcards) if node.wildcards else None
        self._open = self._open or other is not None

        def write(items: Any) -> str:
            if not isinstance(items, list):
                raise Unfit
            symbols, texts = [], []
            for item in items:
                if isinstance(item, str) and node.mixed:
                    texts.append(leaves.plain(item))
                    continue
                ((key, value),) = item.items()
                if key in table:
                    symbol, render = table[key]
                    texts.append(render(value))
                    symbols.append(symbol)
                elif other is not None:
                    texts.append(other(key, value))
                    symbols.append(WILDCARD_SYMBOL)
                else:
                    raise Unfit
            if not matches("".join(symbols)):
                raise Unfit
            return "".join(texts)

        return self._program.object(write)


def attribute_writer(name: str, attribute: Attribute) -> Callable[[object], str]:
    """The writer of an attribute of that (prefixed) name, the space before it included."""
    exact = lexical.writer(leaves.fixed(attribute.type, attribute.fixed))
    if attribute.type.builtin not in lexical.QUALIFIED:
        return lambda value: f' {name}="{escape_attribute(exact(value))}"'

    def write(value: object) -> str:
        space, text = qualified(exact(value), "a_" + local(attribute.name))
        return f'{space} {name}="{text}"'

    return write


def _qname_element(name: str, type: SimpleType, element: Element) -> ElementWriter:
    exact = lexical.writer(leaves.fixed(type, element.fixed))

    def write(value: object) -> str:
        if value is None and element.nillable:
            return f'<{name} xsi:nil="true"/>'
        space, text = qualified(exact(value), "q")
        return f"<{name}{space}>{text}</{name}>"

    return write


def qualified(clark: str, prefix: str) -> tuple[str, str]:
    """A Clark name as a namespace declaration and a QName."""
    space = namespace(clark)
    if not space:
        return "", clark
    return f' xmlns:{prefix}="{escape_attribute(space)}"', f"{prefix}:{local(clark)}"


class _Body:
    """The statements of one generated function. ``count`` is how many keys it has surely used."""

    def __init__(self, program: Program) -> None:
        self.lines: list[str] = []
        self.count = 0
        self._program = program
        self._indent = ""
        self._variables = 0

    def line(self, text: str) -> None:
        self.lines.append(self._indent + text)

    def variable(self) -> str:
        self._variables += 1
        return f"x{self._variables}"

    @contextmanager
    def block(self, header: str) -> Iterator[None]:
        self.line(header)
        self._indent += "    "
        yield
        self._indent = self._indent[:-4]

    def join(self, pieces: Pieces) -> str:
        """An expression for the concatenation of pieces, neighbouring constants merged."""
        merged: Pieces = []
        for constant, text in pieces:
            if constant and merged and merged[-1][0]:
                merged[-1] = (True, merged[-1][1] + text)
            else:
                merged.append((constant, text))
        names = [self._program.text(text) if constant else text for constant, text in merged]
        if not names:
            return '""'
        return names[0] if len(names) == 1 else 'f"' + "".join(f"{{{name}}}" for name in names) + '"'
