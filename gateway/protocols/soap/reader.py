"""XML to JSON values, compiled: one generated function per complex type, walking an element's children once, in schema order.

Strict about structure (an element missing, out of place or unknown is an error, never skipped), tolerant about values a newer
ERP may know (codes outside an enumeration, lengths): see ``simple.reader``. Raises ``Misfit`` or another ``ValueError`` whose
text names elements, never values.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
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
    beginnings,
    form_of,
    leaves_of,
    nullable,
)
from gateway.protocols.soap.model import (
    ANY_TYPE,
    XSD,
    ArrayType,
    ComplexType,
    Contract,
    Element,
    SimpleType,
    Wildcard,
    local,
    namespace,
)
from gateway.protocols.soap.nodes import (
    BARE,
    END,
    MAX_DEPTH,
    NIL,
    TYPE,
    ElementReader,
    Misfit,
    NamespacesNeeded,
    attribute_reader,
    check_attributes,
    is_nil,
    leaf_reader,
    missing,
    nil_reader,
    no_text,
    prefixed,
    selector,
    shown,
    stray,
    text_reader,
    too_deep,
)
from gateway.protocols.soap.order import matcher
from gateway.protocols.soap.program import Body, Program
from gateway.protocols.soap.wildcards import inner_xml, outer_xml


def readers_of(contract: Contract) -> ReaderCompiler:
    """The compiler all operations of a contract share, so that a type is compiled once for all of them."""
    if ReaderCompiler not in contract.compiled:
        contract.compiled.setdefault(ReaderCompiler, ReaderCompiler(contract))
    found: ReaderCompiler = contract.compiled[ReaderCompiler]
    return found


class ReaderCompiler:
    """Compiles element readers of one contract; they share functions and constants. Types that only an ``xsi:type`` can name are
    compiled when one does. Safe to share between threads."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._compiling = threading.RLock()
        self._functions: dict[str, str] = {}
        self._pending: list[tuple[str, ComplexType]] = []
        self._tables: list[tuple[dict[str, Any], str, str]] = []
        self._any: dict[str, ElementReader] = {}
        self._program = Program(
            missing=missing,
            stray=stray,
            too_deep=too_deep,
            is_nil=is_nil,
            check_attributes=check_attributes,
            END=END,
            BARE=BARE,
            NIL=NIL,
            TYPE=TYPE,
        )

    def compile(self, elements: Iterable[Element]) -> list[ElementReader]:
        """A function from (element node, depth) to JSON value, for each element declaration."""
        with self._compiling:
            names = [self._element_function(element) for element in elements]
            self._finish()
        return [self._program.function(name) for name in names]

    def _named_type(self, key: str) -> ElementReader:
        with self._compiling:
            name = self._exact_function(key)
            self._finish()
        return self._program.function(name)

    def _finish(self) -> None:
        """Compile everything that was asked for since the last time."""
        while self._pending:
            self._define(*self._pending.pop())
        self._program.build()
        for table, key, function in self._tables:
            table[key] = self._program.function(function)
        self._tables.clear()

    def _element_function(self, element: Element) -> str:
        lines = Body(self._program)
        value = self._value(lines, element, "c")
        lines.add(f"return {value}")
        name = self._program.object(None)
        self._program.define(f"{name}(c, d)", lines.lines)
        return name

    # --- elements ----------------------------------------------------------------------------------------------------

    def _value(self, lines: Body, element: Element, c: str) -> str:
        """Statements that read node ``c``, and the expression of its value."""
        type = self._contract.types[element.type]
        if element.type == ANY_TYPE or isinstance(type, ArrayType):
            return f"{self._program.object(self._any_element)}({c}, d)"
        if isinstance(type, SimpleType):
            return self._leaf(lines, type, element.default or element.fixed, c)
        call = self._type_function(element.type)
        nil = self._program.object(self._nil_reader(element.type))
        if key_is_concrete(type):
            lines.add(f"if not {c}.keys(): v = {self._exact_function(element.type)}({c}, d)")
            lines.add(f"elif is_nil({c}): v = {nil}({c})")
        else:
            lines.add(f"if is_nil({c}): v = {nil}({c})")
        lines.add(f"else: v = {call}({c}, d)")
        return "v"

    def _nil_reader(self, key: str) -> Callable[[Any], object]:
        """Reads nil elements of a type; with what a derived type's name and attributes say, where there are any."""
        types = self._contract.types
        choices = frozenset((key, *self._contract.derived.get(key, ())))
        readers: dict[str, Callable[[Any], dict[str, object] | None]] = {}

        def reader(name: str) -> Callable[[Any], dict[str, object] | None]:
            type = types[name]
            if name not in readers and isinstance(type, ComplexType):
                readers[name] = nil_reader(form_of(type))
            return readers[name]

        def read(node: Any) -> object:
            named = node.get(TYPE)
            name = prefixed(node, named) if named is not None and len(choices) > 1 else key
            if name == key or name not in choices:
                return reader(key)(node)
            found = reader(name)(node)
            return {"$nil": True, "$type": name} if found is None else {"$type": name, **found}

        return read

    def _leaf(self, lines: Body, type: SimpleType, default: str | None, c: str) -> str:
        exact = self._program.object(leaf_reader(type, default))
        lines.add(f"v = {c}.text")
        usual, test = leaves.read_expression(self._program, type, "v")
        if usual == "":
            lines.add(f"v = {exact}({c})")
        else:
            lines.add(f"if v is None or {c}.__sizeof__() != BARE{f' or ({test})' if test else ''}: v = {exact}({c})")
            if usual != "v":
                lines.add(f"else: v = {usual}")
        return "v"

    # --- complex types -----------------------------------------------------------------------------------------------

    def _type_function(self, key: str) -> str:
        derived = self._contract.derived.get(key, ())
        type = self._contract.types[key]
        if not derived and isinstance(type, ComplexType) and not type.name:
            return self._exact_function(key)
        name = f"dispatch {key}"
        if name not in self._functions:
            self._functions[name] = self._program.object(None)
            choices = frozenset(choice for choice in (key, *derived) if key_is_concrete(self._contract.types[choice]))
            select = self._program.object(selector(key, choices, self._named_type))
            own = f"{self._exact_function(key)}(e, d)" if key_is_concrete(type) else f"{select}(e, d)"
            self._program.define(f"{self._functions[name]}(e, d)", [f"return {own} if e.get(TYPE) is None else {select}(e, d)"])
        return self._functions[name]

    def _exact_function(self, key: str) -> str:
        if key not in self._functions:
            self._functions[key] = self._program.object(None)
            type = self._contract.types[key]
            assert isinstance(type, ComplexType)
            self._pending.append((self._functions[key], type))
        return self._functions[key]

    def _define(self, name: str, type: ComplexType) -> None:
        form = form_of(type)
        lines = Body(self._program)
        lines.add(f"if d > {MAX_DEPTH}: too_deep(e)")
        if form.attributes or form.any_attribute:
            lines.add(f"o = {self._program.object(attribute_reader(form))}(e)")
        else:
            lines.add("o = {}")
            lines.add(f"if e.keys(): check_attributes(e, {self._program.object(frozenset())})")
        if form.kind == "simple" and form.simple is not None:
            read = self._program.object(text_reader(form.simple))
            lines.add(f'o["$value"] = {read}(e)')
        elif isinstance(form.root, Items) and form.kind == "content":
            lines.add(f'o["$content"] = {self._items(form.root)}(e, list(e), d + 1)')
        else:
            self._children(lines, form)
        lines.add("return o")
        self._program.define(f"{name}(e, d)", lines.lines)

    def _children(self, lines: Body, form: Form) -> None:
        lines.add("t = e.text")
        lines.add("if t and not t.isspace(): stray(e)")
        if form.root is None:
            lines.add("if len(e): missing(e, e[0])")
            return
        lines.add("d += 1")
        lines.add("n = iter([*e, END]).__next__")
        lines.add("c = n()")
        self._node(lines, form.root, certain=True, chosen=False)
        lines.add("if c is not END: missing(e, c)")

    # --- content -----------------------------------------------------------------------------------------------------

    def _node(self, lines: Body, node: FormNode, certain: bool, chosen: bool) -> None:
        """Statements that read a node at the cursor. ``certain``: it has to be there, if it must be anywhere. ``chosen``: the
        caller has already seen that it begins here."""
        if isinstance(node, Slot):
            self._slot(lines, node, certain, chosen)
        elif isinstance(node, Items):
            self._ordered(lines, node, certain, self._items(node))
        elif isinstance(node, AnySlot):
            self._ordered_any(lines, node, certain)
        elif node.kind == "choice":
            self._choice(lines, node, certain)
        elif node.kind == "all":
            self._all(lines, node, certain)
        elif (certain and node.required) or chosen:
            for child in node.nodes:
                self._node(lines, child, True, False)
        else:
            with lines.block(f"if {self._begins(node)}:"):
                for child in node.nodes:
                    self._node(lines, child, True, False)

    def _slot(self, lines: Body, slot: Slot, certain: bool, chosen: bool) -> None:
        tag = self._program.text(slot.element.name)
        if slot.repeated:
            self._list(lines, slot, certain)
            return
        if chosen or (certain and slot.min > 0):
            if not chosen:
                lines.add(f"if c.tag != {tag}: missing(e, c)")
            self._take(lines, slot)
        else:
            with lines.block(f"if c.tag == {tag}:"):
                self._take(lines, slot)

    def _take(self, lines: Body, slot: Slot) -> None:
        value = self._value(lines, slot.element, "c")
        lines.add(f"o[{self._program.text(slot.key)}] = {value}")
        self._advance(lines)

    def _advance(self, lines: Body) -> None:
        lines.add("t = c.tail")
        lines.add("if t and not t.isspace(): stray(e)")
        lines.add("c = n()")

    def _list(self, lines: Body, slot: Slot, certain: bool) -> None:
        tag, key = self._program.text(slot.element.name), self._program.text(slot.key)
        lines.add("l = []")
        with lines.block(f"while c.tag == {tag}:"):
            lines.add(f"l.append({self._value(lines, slot.element, 'c')})")
            self._advance(lines)
        self._bounds(lines, slot.min, slot.max, certain)
        lines.add(f"o[{key}] = l" if certain else f"if l: o[{key}] = l")

    def _bounds(self, lines: Body, low: int, high: int | None, certain: bool) -> None:
        if low and (certain or low > 1):
            lines.add(f"if len(l) < {low}{'' if certain else ' and l'}: missing(e, c)")
        if high is not None:
            lines.add(f"if len(l) > {high}: missing(e, c)")

    def _choice(self, lines: Body, block: Block, certain: bool) -> None:
        word = "if"
        for child in sorted(block.nodes, key=lambda child: isinstance(child, AnySlot)):
            with lines.block(f"{word} {self._begins(child)}:"):
                self._node(lines, child, False, True)
            word = "elif"
        if certain and not nullable(block):
            lines.add("else: missing(e, c)")

    def _all(self, lines: Body, block: Block, certain: bool) -> None:
        """An all-group: its members in any order; a substitution group in it is a choice, of which one may be there."""
        members = [[node for node in leaves_of(child) if isinstance(node, Slot)] for child in block.nodes]
        every = [slot for slots in members for slot in slots]
        with lines.block(f"while c.tag in {self._program.object(frozenset(slot.element.name for slot in every))}:"):
            for slots in members:
                rivals = self._program.object(frozenset(slot.key for slot in slots))
                for slot in slots:
                    with lines.block(f"if c.tag == {self._program.text(slot.element.name)}:"):
                        if slot.repeated:
                            self._list(lines, slot, certain=False)
                        else:
                            lines.add(f"if not {rivals}.isdisjoint(o): missing(e, c)")
                            self._take(lines, slot)
                        lines.add("continue")
        there = "" if certain and block.required else f" and not {self._keys(every)}.isdisjoint(o)"
        for child, slots in zip(block.nodes, members, strict=True):
            if not nullable(child):
                lines.add(f"if {self._keys(slots)}.isdisjoint(o){there}: missing(e, c)")

    def _keys(self, slots: list[Slot]) -> str:
        return self._program.object(frozenset(slot.key for slot in slots))

    def _ordered(self, lines: Body, node: Items, certain: bool, read: str) -> None:
        lines.add("l = []")
        with lines.block(f"while {self._begins(node)}:"):
            lines.add("l.append(c)")
            self._advance(lines)
        body = f"o[{self._program.text(node.key)}] = {read}(e, l, d)"
        lines.add(body if certain else f"if l: {body}")

    def _ordered_any(self, lines: Body, node: AnySlot, certain: bool) -> None:
        lines.add("l = []")
        room = "" if node.wildcard.max is None else f" and len(l) < {node.wildcard.max}"
        with lines.block(f"while {self._begins(node)}{room}:"):
            lines.add(f"l.append({self._program.object(self._wild)}(c, d))")
            self._advance(lines)
        self._bounds(lines, node.wildcard.min, None, certain)
        if node.repeated:
            lines.add('o["$any"] = l' if certain else 'if l: o["$any"] = l')
        else:
            lines.add('if l: o["$any"] = l[0]')

    def _begins(self, node: FormNode) -> str:
        """A test of the cursor: may the node begin here?"""
        names, wildcards = beginnings(node)
        tests = []
        if len(names) == 1:
            tests.append(f"c.tag == {self._program.text(names[0])}")
        elif names:
            tests.append(f"c.tag in {self._program.object(frozenset(names))}")
        if wildcards:
            tests.append(f"{self._program.object(_admits(wildcards))}(c)")
        return f"({' or '.join(tests)})"

    def _items(self, node: Items) -> str:
        """The name of a function that reads nodes into an ordered array."""
        table: dict[str, Any] = {}
        for slot in node.slots:
            self._tables.append((table, slot.element.name, self._element_function(slot.element)))
        keys = {slot.element.name: (slot.key, slot.symbol) for slot in node.slots}
        matches = matcher(node.model)
        admits = _admits(node.wildcards) if node.wildcards else None

        def read(parent: Any, nodes: list[Any], d: int) -> list[object]:
            result: list[object] = [parent.text] if node.mixed and parent.text else []
            symbols = []
            for child in nodes:
                if child.tag in table:
                    key, symbol = keys[child.tag]
                    result.append({key: table[child.tag](child, d)})
                    symbols.append(symbol)
                elif admits is not None and admits(child):
                    result.append(self._wild(child, d))
                    symbols.append(WILDCARD_SYMBOL)
                else:
                    missing(parent, child)
                if node.mixed and child.tail:
                    result.append(child.tail)
            if not node.mixed and node.key == "$content":
                no_text(parent)
            if not matches("".join(symbols)):
                raise Misfit(f"element {shown(parent)}: its content is not in the order the contract gives")
            return result

        return self._program.object(read)

    # --- open content ------------------------------------------------------------------------------------------------

    def _wild(self, node: Any, d: int) -> dict[str, object]:
        """An element under a wildcard, as a one-key object."""
        declared = self._contract.elements.get(node.tag)
        if declared is not None:
            return {node.tag: self._late(declared)(node, d)}
        if not hasattr(node, "nsmap"):
            raise NamespacesNeeded
        return {"$xml": outer_xml(node)}

    def _late(self, element: Element) -> ElementReader:
        key = f"{element.name} {element.type}"
        if key not in self._any:
            self._any[key] = self.compile([element])[0]
        return self._any[key]

    def _any_element(self, node: Any, d: int) -> object:
        if d > MAX_DEPTH:
            too_deep(node)
        if node.keys() and is_nil(node):
            return None
        named = node.get(TYPE)
        if named is not None:
            typed = self._typed(node, prefixed(node, named), d)
            if typed is not None:
                return typed
        if len(node) == 0:
            return node.text or ""
        if not hasattr(node, "nsmap"):
            raise NamespacesNeeded
        return {"$xml": inner_xml(node)}

    def _typed(self, node: Any, name: str, d: int) -> object:
        type = self._contract.types.get(name)
        if namespace(name) == XSD and local(name) in lexical.BUILTINS and name != ANY_TYPE:
            type = lexical.builtin(local(name))
        if isinstance(type, SimpleType):
            return {"$type": name, "$value": leaf_reader(type, None)(node)}
        if isinstance(type, ComplexType) and type.key != ANY_TYPE and not type.abstract:
            value = self._late(Element(str(node.tag), name))(node, d)
            return {"$type": name, **value} if isinstance(value, dict) else value
        return None


def key_is_concrete(type: object) -> bool:
    return isinstance(type, ComplexType) and not type.abstract


def _admits(wildcards: Iterable[Wildcard]) -> Callable[[Any], bool]:
    found = tuple(wildcards)
    return lambda node: node is not END and any(wildcard.admits(namespace(node.tag)) for wildcard in found)
