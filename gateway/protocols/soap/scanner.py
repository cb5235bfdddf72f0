"""The quick way through an answer: regular expressions generated from the contract, run over the text instead of a tree.

The start tags of an answer up to the body's child are read by a real parser, once for each way a server writes them, and give
the prefixes. What follows has to be spelt as plainly as the contract allows: its elements in order, under those prefixes, with
text that needs no unescaping. Whatever is not, in a single character, is ``MISS`` and goes to the parser and ``reader.py``, which
alone decide what is refused. A scan never returns a value they would not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final
from xml.etree import ElementTree

from gateway.protocols.soap import leaves, lexical, simple
from gateway.protocols.soap.form import Block, Form, FormNode, Slot, form_of
from gateway.protocols.soap.model import (
    ANY_TYPE,
    XSI,
    ArrayType,
    ComplexType,
    Contract,
    Element,
    Message,
    SimpleType,
    local,
    namespace,
)
from gateway.protocols.soap.program import Program

Scan = Callable[[str, int], object]
_Member = tuple[str, str, str]
"""A key, the variable that holds its value, and the test of whether it is there, "" for always."""

MISS: Final = object()
_ABSENT: Final = object()
_MAX_STYLES: Final = 16
_MAX_HEAD: Final = 4_000
_MAX_ELEMENTS: Final = 500
_MAX_DEPTH: Final = 30
_MAX_LOOPS: Final = 10
_SPACE: Final = "[ \\t\\r\\n]*+"
_PLAIN: Final = "[^<>&\\x00-\\x08\\x0b-\\x1f]*+"
_TEXT: Final = f"({_PLAIN}(?:&(?:amp|lt|gt|quot|apos);{_PLAIN})*+)"
_SOME_TEXT: Final = f"(?!<){_TEXT}"
_ATTRIBUTE: Final = '([^<>&"\\x00-\\x1f]*+)'
_NUMBERS: Final = {"decimal": "(-?+[0-9]++(?:\\.[0-9]++)?+)", "int": "(-?+[0-9]{1,9}+)", "unsignedInt": "([0-9]{1,9}+)"}
_HEAD: Final = re.compile(
    r"""(?:<\?xml version="1\.0" encoding="(?:utf|UTF)-8"(?: standalone="(?:yes|no)")? ?\?>[ \t\r\n]*+)?+"""
    r"""(?:<[^<>!?/][^<>]*+>[ \t\r\n]*+){2}<[^<>!?/][^<>]*+>"""
).match


def unescape(text: str) -> str:
    """Text without its references to the five predefined entities (XML 1.0 section 4.6)."""
    for name, character in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'")):
        text = text.replace(name, character)
    return text.replace("&amp;", "&")


class _Unplain(Exception):
    """The contract or the answer has something a scan does not cover."""


class Scanner:
    """Scans the answers to one operation. Safe to share between threads.

    :param space: the namespace of the SOAP envelope.
    """

    def __init__(self, contract: Contract, message: Message | None, space: str) -> None:
        self._contract = contract
        self._message = message or Message()
        self._space = space
        self._styles: dict[str, Scan | None] = {}

    def read(self, envelope: bytes) -> object:
        """The JSON value of an answer, or ``MISS``."""
        try:
            text = envelope.decode()
        except UnicodeDecodeError:
            return MISS
        head = _HEAD(text)
        if head is None or "\ufffe" in text or "\uffff" in text:
            return MISS
        style = head[0]
        scan = self._styles[style] if style in self._styles else self._learn(style)
        try:
            return MISS if scan is None else scan(text, head.end())
        except ValueError:
            return MISS

    def _learn(self, head: str) -> Scan | None:
        """The scan for answers that begin so; None when there is none, or when a server writes in too many ways."""
        if len(self._styles) >= _MAX_STYLES or len(head) > _MAX_HEAD:
            return None
        try:
            scan = self._compile(head)
        except (_Unplain, ElementTree.ParseError):
            scan = None
        self._styles[head] = scan
        return scan

    def _compile(self, head: str) -> Scan:
        if len(self._message.body) != 1 or self._message.encoded:
            raise _Unplain
        element = self._message.body[0]
        names = re.findall(r"<([^\s<>?/]+)", head)
        found, prefixes = _start(head + "".join(f"</{name}>" for name in reversed(names)))
        if found != [f"{{{self._space}}}Envelope", f"{{{self._space}}}Body", element.name]:
            raise _Unplain
        prefixes[namespace(element.name)] = names[-1].rpartition(":")[0]
        source = _Source(self._contract, prefixes)
        value = source.content(element)
        source.pattern += "".join(f"</{re.escape(name)}>{_SPACE}" for name in reversed(names)) + r"\Z"
        source.flush()
        key = local(element.name)
        source.line(f"return {{{source.program.text(key)}: {value}}}" if self._message.keyed else f"return {value}")
        source.program.define("scan(t, p)", source.lines)
        source.program.build()
        return source.program.function("scan")


def _start(document: str) -> tuple[list[str], dict[str, str]]:
    """The elements of a chain without attributes, and the prefix for each namespace in its last one's scope."""
    parser: Any = ElementTree.XMLPullParser(("start", "start-ns"))
    parser.feed(document.encode())
    parser.close()
    scope, names = {"": ""}, []
    for event, item in parser.read_events():
        if event == "start-ns":
            scope[item[0] or ""] = item[1] or ""
        elif item.keys():
            raise _Unplain
        else:
            names.append(item.tag)
    return names, {space: prefix for prefix, space in scope.items()}


class _Source:
    """The statements of one scan: ``t`` is the text, ``p`` the place in it. ``pattern`` is what is to be matched next, and its
    groups are ``names``; ``after`` are the statements that make values of them."""

    def __init__(self, contract: Contract, prefixes: dict[str, str]) -> None:
        self.program = Program(MISS=MISS, ABSENT=_ABSENT, unescape=unescape)
        self.lines: list[str] = []
        self.pattern = _SPACE
        self._names: list[str] = []
        self._after: list[str] = []
        self._contract = contract
        self._prefixes = prefixes
        self._otherwise = "return MISS"
        self._indent = ""
        self._variables = self._elements = self._depth = self._loops = 0

    def line(self, text: str) -> None:
        self.lines.append(self._indent + text)

    def flush(self) -> None:
        """Statements that match what has gathered."""
        if self.pattern:
            self.line(f"m = {self.program.object(re.compile(self.pattern).match)}(t, p)")
            self.line(f"if m is None: {self._otherwise}")
            self._otherwise = "return MISS"
            self.line("p = m.end()")
        if self._names:
            self.line(f"{', '.join(self._names)}, = m.groups()")
        for line in self._after:
            self.line(line)
        self.pattern, self._names, self._after = "", [], []

    def content(self, element: Element) -> str:
        """The variable that will hold a complex element, from behind its start tag, which has no attributes."""
        type = self._type(element)
        if not isinstance(type, ComplexType) or any(attribute.required for attribute in type.attributes):
            raise _Unplain
        return self._content(form_of(type), [])

    def _variable(self) -> str:
        self._variables += 1
        return f"x{self._variables}"

    def _group(self) -> str:
        self._names.append(self._variable())
        return self._names[-1]

    def _type(self, element: Element) -> SimpleType | ComplexType:
        type = self._contract.types.get(element.type)
        self._elements += 1
        if type is None or element.type == ANY_TYPE or isinstance(type, ArrayType) or self._elements > _MAX_ELEMENTS:
            raise _Unplain
        if isinstance(type, ComplexType) and type.abstract:
            raise _Unplain
        return type

    def _name(self, clark: str) -> str:
        prefix = self._prefixes.get(namespace(clark))
        if prefix is None:
            raise _Unplain
        return re.escape(f"{prefix}:{local(clark)}" if prefix else local(clark))

    def _element(self, element: Element) -> str:
        """The variable that will hold an element that has to be there."""
        name = self._name(element.name)
        type = self._type(element)
        if isinstance(type, SimpleType):
            return self._leaf(name, element, type, optional=False)[0]
        form = form_of(type)
        self.pattern += f"<{name}"
        attributes = self._attributes(form)
        self.pattern += f">{_SPACE}"
        value = self._content(form, attributes)
        self.pattern += f"</{name}>{_SPACE}"
        return value

    def _attributes(self, form: Form) -> list[_Member]:
        found: list[_Member] = []
        for key, attribute in form.attributes:
            if namespace(attribute.name) or attribute.type.builtin in lexical.QUALIFIED:
                if attribute.required:
                    raise _Unplain
                continue
            self.pattern += f'(?: {re.escape(attribute.name)}="{_ATTRIBUTE}"){"" if attribute.required else "?"}'
            x = self._group()
            convert = f"{x} = {self.program.object(simple.reader(attribute.type))}({x})"
            self._after.append(convert if attribute.required else f"if {x} is not None: {convert}")
            found.append((key, x, "" if attribute.required else f"{x} is not None"))
        return found

    def _content(self, form: Form, members: list[_Member]) -> str:
        """The variable that will hold an object with these members and those of its content."""
        self._depth += 1
        if form.kind != "fields" or self._depth > _MAX_DEPTH:
            raise _Unplain
        members += [(slot.key, *self._slot(slot)) for slot in _slots(form.root)]
        self._depth -= 1
        certain = next((n for n, member in enumerate(members) if member[2]), len(members))
        value, text = self._variable(), self.program.text
        self._after.append(f"{value} = {{{', '.join(f'{text(key)}: {x}' for key, x, _ in members[:certain])}}}")
        for key, x, test in members[certain:]:
            self._after.append(f"{f'if {test}: ' if test else ''}{value}[{text(key)}] = {x}")
        return value

    def _slot(self, slot: Slot) -> tuple[str, str]:
        """The variable that will hold a slot, and the test of whether it is there, "" where it always is."""
        if not slot.repeated and slot.min:
            return self._element(slot.element), ""
        type = self._type(slot.element)
        if not slot.repeated and isinstance(type, SimpleType):
            return self._leaf(self._name(slot.element.name), slot.element, type, optional=True)
        self.flush()
        result = self._variable()
        self.line(f"{result} = {'[]' if slot.repeated else None}")
        with self._loop():
            value = self._element(slot.element)
            self.flush()
            self.line(f"{result}.append({value})" if slot.repeated else f"{result} = {value}; break")
        if slot.repeated:
            self.line(f"if len({result}) < {slot.min}: return MISS")
            self.line("pass" if slot.max is None else f"if len({result}) > {slot.max}: return MISS")
        return result, "" if slot.repeated else f"{result} is not None"

    @contextmanager
    def _loop(self) -> Iterator[None]:
        """A loop that ends where its first pattern does not match."""
        self._loops += 1
        if self._loops > _MAX_LOOPS:
            raise _Unplain
        self.line("while True:")
        before = self._otherwise
        self._indent, self._otherwise = self._indent + "    ", "break"
        yield
        self._indent, self._otherwise = self._indent[:-4], before
        self._loops -= 1

    def _leaf(self, name: str, element: Element, type: SimpleType, optional: bool) -> tuple[str, str]:
        """The variable that will hold an element of simple type, and the test of whether it is there."""
        if type.variety == "atomic" and type.builtin in lexical.QUALIFIED:
            raise _Unplain
        number = _NUMBERS.get(type.builtin) if type.variety == "atomic" else None
        empty = _may_be_empty(element, type)
        short = "|".join((["/"] if empty else []) + self._nil(element))
        text = number or (_TEXT if empty else _SOME_TEXT)
        pattern = f"<{name}(?:({short})>|>{text}</{name}>){_SPACE}" if short else f"<{name}>{text}</{name}>{_SPACE}"
        self.pattern += f"(?:{pattern})?" if optional else pattern
        e = self._group() if short else ""
        x = self._group()
        lines = self._conversion(type, x, number is not None)
        if short:
            empty_value = f'("" if {e} == "/" else None)' if empty else "None"
            missing = f"ABSENT if {e} is None else {empty_value}" if optional else empty_value
            self._after.append(f"if {x} is None: {x} = {missing}")
            self._after += ["else:", *(f"    {line}" for line in lines)] if lines else []
            return x, f"{x} is not ABSENT" if optional else ""
        self._after += [f"if {x} is not None:", *(f"    {line}" for line in lines)] if optional and lines else lines
        return x, f"{x} is not None" if optional else ""

    def _nil(self, element: Element) -> list[str]:
        """The expression for the rest of a nil element's tag, where the contract and the scope of prefixes allow one."""
        prefix = self._prefixes.get(XSI)
        return [f' {re.escape(prefix)}:nil="(?:true|1)" ?/'] if element.nillable and prefix else []

    def _conversion(self, type: SimpleType, x: str, number: bool) -> list[str]:
        if number:
            return [] if type.builtin == "decimal" else [f"{x} = int({x})"]
        unescape = f'if "&" in {x}: {x} = unescape({x})'
        exact = self.program.object(simple.reader(type))
        usual, test = leaves.read_expression(self.program, type, x)
        if usual != x:
            return [unescape, f"{x} = {exact}({x})"]
        return [unescape, f"{x} = {exact}({x}) if {test} else {x}"] if test else [unescape]


def _may_be_empty(element: Element, type: SimpleType) -> bool:
    """Whether an element without text is an empty string, as it is for strings that have no default."""
    plain = type.variety == "atomic" and type.builtin == "string" and lexical.whitespace(type) == "preserve"
    return plain and element.default is None and element.fixed is None


def _slots(root: FormNode | None) -> tuple[Slot, ...]:
    """The members of a plain sequence."""
    if root is None:
        return ()
    nodes = root.nodes if isinstance(root, Block) and root.kind == "sequence" and root.required else (root,)
    slots = tuple(node for node in nodes if isinstance(node, Slot))
    if len(slots) != len(nodes):
        raise _Unplain
    return slots
