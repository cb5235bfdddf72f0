"""JSON values to XML, compiled: one generated function per complex type, which checks and renders in a single pass.

The generated code takes the common path only and raises (``KeyError``, ``TypeError``, ``AttributeError`` or ``ValueError``) at
the first thing that does not fit; ``checker.py`` then finds out everything that was wrong.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

from gateway.protocols.soap import leaves, lexical, simple
from gateway.protocols.soap.form import (
    WILDCARD_SYMBOL,
    AnySlot,
    Block,
    Form,
    FormNode,
    Items,
    Slot,
    form_of,
    has_wildcard,
    keys,
    names_of,
    nullable,
    reachable,
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
from gateway.protocols.soap.program import Body, Pieces, Program
from gateway.protocols.soap.wildcards import AnyWriter, Unfit, escape_attribute

ElementWriter = Callable[[object], str]
_Nil = tuple[str, frozenset[str], dict[str, ElementWriter], bool]
"""How a nil element of one type is written: its xsi:type, its required keys, its attributes, whether it may have others."""


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
    """Compiles element writers of one contract; they share functions, constants and prefixes. Types that only a ``$type`` can
    name are compiled when one does. Safe to share between threads."""

    def __init__(self, contract: Contract) -> None:
        self.prefixes = Prefixes()
        self._contract = contract
        self._compiling = threading.RLock()
        self._derived: set[str] = set()
        self._functions: dict[str, str] = {}
        self._dispatch: dict[str, str] = {}
        self._pending: list[tuple[str, ComplexType]] = []
        self._tables: list[tuple[dict[str, tuple[str, Any]], str, str, str]] = []
        self._program = Program(Unfit=Unfit, plain=leaves.plain)
        self._any = AnyWriter(contract, self)
        self._open = False

    def compile(self, elements: Iterable[Element]) -> list[ElementWriter]:
        """A function from JSON value to the element's XML, for each element."""
        with self._compiling:
            names = [self._element_function(element) for element in elements]
            self._finish()
            self._reserve()
        return [self._program.function(name) for name in names]

    def _named_type(self, key: str) -> ElementWriter:
        with self._compiling:
            name = self._exact_function(key)
            self._finish()
        return self._program.function(name)

    def _finish(self) -> None:
        """Compile everything that was asked for since the last time."""
        while self._pending:
            self._define(*self._pending.pop())
        self._program.build()
        for table, key, function, symbol in self._tables:
            table[key] = (symbol, self._program.function(function))
        self._tables.clear()

    def _reserve(self) -> None:
        """Prefixes for the namespaces of what is compiled when the envelope's start, which declares them, is long rendered:
        derived types, and for open content all of the contract."""
        types = self._contract.types
        keys = reachable(self._derived, types, self._contract.derived)
        self._derived.clear()
        if self._open or any(has_wildcard(types[key]) or isinstance(types[key], ArrayType) for key in keys):
            self._open = False
            keys = [*types, *self._contract.elements]
        for key in keys:
            self.prefixes.name(key)
            for name in names_of(types[key]) if key in types else ():
                self.prefixes.name(name)

    def _element_function(self, element: Element) -> str:
        body = Body(self._program)
        pieces = self._element(body, element, "x")
        body.add(f"return {body.join(pieces)}")
        name = self._program.object(None)
        self._program.define(f"{name}(x)", body.lines)
        return name

    # --- elements ----------------------------------------------------------------------------------------------------

    def _element(self, body: Body, element: Element, x: str) -> Pieces:
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
            body.add(f"if {x} is None: {x} = {nil}")
            with body.block("else:"):
                self._leaf(body, type, x, element.fixed)
                body.add(f"{x} = {body.join(pieces)}")
            return [(False, x)]
        call = self._type_function(element.type)
        pieces = [(True, f"<{name}"), (False, f"{call}({x})"), (True, f"</{name}>")]
        if not element.nillable:
            return pieces
        attributes = self._program.object(self._nil_writer(name, type))
        needed = any(attribute.required for attribute in type.attributes)
        body.add(f"if {x} is None: {'raise Unfit' if needed else f'{x} = {nil}'}")
        body.add(f'elif "$nil" in {x}: {x} = {attributes}({x})')
        body.add(f"else: {x} = {body.join(pieces)}")
        return [(False, x)]

    def _nil_writer(self, name: str, declared: ComplexType) -> ElementWriter:
        """The writer of ``{"$nil": true, ...}``: attributes, and the name of a derived type when it has one."""
        choices = frozenset((declared.key, *self._contract.derived.get(declared.key, ())))
        self._derived.update(choices - {declared.key})
        known: dict[str, _Nil] = {}

        def nil(key: str) -> _Nil:
            type = self._contract.types[key]
            if key not in choices or not isinstance(type, ComplexType) or (type.abstract and key != declared.key):
                raise Unfit
            if key not in known:
                form = form_of(type)
                writers = {k: attribute_writer(self.prefixes.name(a.name), a) for k, a in form.attributes}
                said = "" if key == declared.key else f' xsi:type="{self.prefixes.name(key)}"'
                required = frozenset(k for k, a in form.attributes if a.required)
                known[key] = (said, required, writers, form.any_attribute is not None)
            return known[key]

        for attribute in declared.attributes:
            self.prefixes.name(attribute.name)

        def write(value: Any) -> str:
            if value["$nil"] is not True or value.get("$type", "") == declared.key:
                raise Unfit
            said, required, writers, free = nil(value.get("$type", declared.key))
            if not required <= value.keys():
                raise Unfit
            extra, count = self._any.attributes(value, writers.keys()) if free else ("", 0)
            own = [writers[key](item) for key, item in value.items() if key in writers]
            if len(own) + count + len(value.keys() & {"$nil", "$type"}) != len(value):
                raise Unfit
            return f'<{name} xsi:nil="true"{said}{"".join(own)}{extra}/>'

        return write

    def _leaf(self, body: Body, type: SimpleType, x: str, fixed: str | None = None) -> None:
        """Statements that turn the JSON value ``x`` into checked, escaped text."""
        for line in leaves.write_lines(self._program, leaves.fixed(type, fixed), x):
            body.add(line)

    # --- complex types -----------------------------------------------------------------------------------------------

    def _type_function(self, key: str) -> str:
        """The function that renders a value of that type or one derived from it: attributes, ``>``, content."""
        derived = self._contract.derived.get(key, ())
        if not derived:
            return self._exact_function(key)
        if key not in self._dispatch:
            self._dispatch[key] = name = self._program.object(None)
            self._derived.update(derived)
            table = _Choices(self._named_type)
            types = self._contract.types
            if _concrete(types[key]):
                self._tables.append((table, key, self._exact_function(key), ""))
            table.types |= {t: f' xsi:type="{self.prefixes.name(t)}"' for t in derived if _concrete(types[t])}
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
        body = Body(self._program)
        body.add("if v.__class__ is not dict: raise Unfit")
        pieces = self._attributes(body, form)
        pieces.append((True, ">"))
        if form.kind == "simple" and form.simple is not None:
            body.add('x = v["$value"]')
            body.count += 1
            self._leaf(body, form.simple, "x")
            pieces.append((False, "x"))
        elif form.root is not None:
            pieces += self._node(body, form.root, certain=True)
        body.add(f"if len(v) != n + {body.count}: raise Unfit")
        body.add(f"return {body.join(pieces)}")
        self._program.define(f"{name}(v, n=0)", body.lines)

    def _attributes(self, body: Body, form: Form) -> Pieces:
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
            body.add(f"{extra}, m = {self._program.object(self._any.attributes)}(v, {known})")
            body.add("n += m")
            pieces.append((False, extra))
        return pieces

    # --- content -----------------------------------------------------------------------------------------------------

    def _node(self, body: Body, node: FormNode, certain: bool) -> Pieces:
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

    def _all(self, body: Body, nodes: Iterable[FormNode]) -> Pieces:
        return [piece for child in nodes for piece in self._node(body, child, True)]

    def _single(self, body: Body, key: str, write: str, required: bool) -> Pieces:
        parts: Pieces = [(False, f"{write}(v[{self._program.text(key)}])")]
        if required:
            body.count += 1
            return parts
        return [(False, self._optional(body, [key], lambda inner: parts, used=1))]

    def _slot(self, body: Body, slot: Slot, certain: bool) -> Pieces:
        if certain and slot.min > 0:
            body.count += 1
            return self._present(body, slot)
        return [(False, self._optional(body, [slot.key], lambda inner: self._present(inner, slot), used=1))]

    def _present(self, body: Body, slot: Slot) -> Pieces:
        x = body.variable()
        body.add(f"{x} = v[{self._program.text(slot.key)}]")
        return self._list(body, slot, x) if slot.repeated else self._element(body, slot.element, x)

    def _list(self, body: Body, slot: Slot, x: str) -> Pieces:
        body.add(f"if {x}.__class__ is not list: raise Unfit")
        if slot.max is not None:
            body.add(f"if len({x}) > {slot.max}: raise Unfit")
        if slot.min:
            body.add(f"if len({x}) < {slot.min}: raise Unfit")
        type = self._contract.types[slot.element.type]
        if isinstance(type, ComplexType) and not slot.element.nillable and type.key != ANY_TYPE:
            name = self.prefixes.name(slot.element.name)
            start, middle, end = (self._program.text(t) for t in (f"<{name}", f"</{name}><{name}", f"</{name}>"))
            call = self._type_function(slot.element.type)
            body.add(f'{x} = f"{{{start}}}{{{middle}.join([{call}(y) for y in {x}])}}{{{end}}}" if {x} else ""')
        else:
            body.add(f'{x} = "".join(map({self._element_function(slot.element)}, {x}))')
        return [(False, x)]

    def _optional(self, body: Body, names: list[str], fill: Callable[[Body], Pieces], used: int = 0) -> str:
        """A variable holding what ``fill`` renders when any of the keys is present, else ""."""
        result = body.variable()
        with body.block(f"if {self._presence(names)}:"):
            outer, body.count = body.count, used
            pieces = fill(body)
            body.add(f"{result} = {body.join(pieces)}")
            body.add(f"n += {body.count}")
            body.count = outer
        body.add(f'else: {result} = ""')
        return result

    def _presence(self, names: list[str]) -> str:
        if len(names) == 1:
            return f"{self._program.text(names[0])} in v"
        return f"not {self._program.object(frozenset(names))}.isdisjoint(v)"

    def _choice(self, body: Body, block: Block, certain: bool) -> Pieces:
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
                body.add(f"{result} = {body.join(pieces)}")
                body.add(f"n += {body.count}")
                body.count = outer
            word = "elif"
        missing = "raise Unfit" if certain and not nullable(block) else f'{result} = ""'
        body.add(f"else: {missing}")
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


def _concrete(type: object) -> bool:
    return isinstance(type, ComplexType) and not type.abstract


def attribute_writer(name: str, attribute: Attribute) -> Callable[[object], str]:
    """The writer of an attribute of that (prefixed) name, the space before it included."""
    exact = simple.writer(leaves.fixed(attribute.type, attribute.fixed))
    if attribute.type.builtin not in lexical.QUALIFIED:
        return lambda value: f' {name}="{escape_attribute(exact(value))}"'

    def write(value: object) -> str:
        space, text = qualified(exact(value), "a_" + local(attribute.name))
        return f'{space} {name}="{text}"'

    return write


def _qname_element(name: str, type: SimpleType, element: Element) -> ElementWriter:
    exact = simple.writer(leaves.fixed(type, element.fixed))

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


class _Choices(dict[str, tuple[str, ElementWriter]]):
    """What to write before the content of a type that stands for another (``types``), and its writer, compiled at first use."""

    def __init__(self, compile: Callable[[str], ElementWriter]) -> None:
        self.types: dict[str, str] = {}
        self._compile = compile

    def __missing__(self, key: str) -> tuple[str, ElementWriter]:
        found = self[key] = (self.types[key], self._compile(key))
        return found
