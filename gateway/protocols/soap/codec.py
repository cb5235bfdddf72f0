"""One operation compiled: JSON value to request envelope, answer envelope to JSON value or to the problem it stands for.

SOAP 1.1 (W3C Note 2000-05-08) and SOAP 1.2 part 1. The envelope around the body is rendered once, at compile time. A plain
answer is scanned, any other read from the fast tree; the rare one that needs namespace prefixes is read again from lxml's. Each
part is compiled when it is first needed: a contract has hundreds of operations, and a process that starts needs none of them yet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import Any, Final

from gateway.errors import BadAnswer, FieldError, Unprocessable
from gateway.protocols.soap import answers
from gateway.protocols.soap.addressing import SPACES
from gateway.protocols.soap.checker import Checker
from gateway.protocols.soap.encoded_reader import EncodedReader
from gateway.protocols.soap.encoded_writer import EncodedWriter
from gateway.protocols.soap.faults import FaultReader
from gateway.protocols.soap.model import ENVELOPES, Contract, Element, Message, Operation, local, namespace
from gateway.protocols.soap.nodes import ElementReader, NamespacesNeeded
from gateway.protocols.soap.reader import ReaderCompiler, readers_of
from gateway.protocols.soap.scanner import MISS, Scanner
from gateway.protocols.soap.writer import Prefixes, WriterCompiler

Headers = list[tuple[bytes, bytes]]
_BODY: Final = "<soapenv:Body>"
_END: Final = "</soapenv:Body></soapenv:Envelope>"
_ROLES: Final = frozenset(
    {
        "",
        "http://schemas.xmlsoap.org/soap/actor/next",
        *(f"{ENVELOPES['1.2']}/role/{name}" for name in ("next", "ultimateReceiver")),
    }
)
"""Whom a header block is meant for when it is meant for whoever reads the body."""


def compile_operation(contract: Contract, operation: Operation) -> Codec:
    """The codec of an operation the contract offers, always the same. ``Codec.compile`` has it ready before the first call."""
    found: Codec | None = contract.compiled.get(id(operation))
    if found is None or found.operation is not operation:
        found = contract.compiled[id(operation)] = Codec(contract, operation)
    return found


class Codec:
    """Pure and safe to share between threads.

    :ivar content_type: of the request, ``action`` included for SOAP 1.2.
    :ivar headers: request headers beside the content type: SOAPAction for SOAP 1.1.
    """

    def __init__(self, contract: Contract, operation: Operation) -> None:
        self.operation = operation
        self.content_type, self.headers = _transport(operation)
        self._contract = contract
        self._space = ENVELOPES[operation.version]
        self._check = Checker(contract, operation.input)
        self._scanner = Scanner(contract, operation.output, self._space)
        self._encoded = EncodedReader(contract) if operation.output is not None and operation.output.encoded else None

    def compile(self) -> None:
        """Compile now what the first call, the first unusual answer and the first fault would."""
        _ = self._encode, self._body, self._fault

    @cached_property
    def _encode(self) -> Callable[[Any], bytes]:
        if self.operation.input.encoded:
            return _encoded_encoder(self._contract, self.operation, self._check, self._space)
        return _encoder(self._contract, self.operation.input, self._space)

    @cached_property
    def _body(self) -> _BodyReader:
        return _BodyReader(readers_of(self._contract), self.operation.output, self._encoded)

    @cached_property
    def _fault(self) -> FaultReader:
        reader, operation = readers_of(self._contract), self.operation
        headers = {element.name: element for element in operation.header_faults}
        return FaultReader(
            _fault_readers(reader, self._encoded, operation.faults), _fault_readers(reader, self._encoded, headers)
        )

    def encode(self, value: object) -> bytes:
        """The request envelope, UTF-8. Raises ``Unprocessable`` with every error and its JSON pointer."""
        try:
            return self._encode(value)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            errors = self._check(value) or [FieldError("", "does not fit the contract")]
        raise Unprocessable(errors[0].detail if len(errors) == 1 else f"{len(errors)} fields are wrong", errors=errors)

    def decode(self, envelope: bytes) -> object:
        """The JSON value of an answer; None for the empty answer to a one-way operation.

        Raises ``Refused``, ``FaultClient`` or ``FaultServer`` for a fault, ``BadAnswer`` for anything that is not the answer.
        """
        if not envelope.strip() and self.operation.output is None:
            return None
        if self._encoded is not None:
            return self._decode(answers.tree_with_namespaces(envelope))
        value = self._scanner.read(envelope)
        if value is not MISS:
            return value
        try:
            return self._decode(answers.tree(envelope))
        except NamespacesNeeded:
            return self._decode(answers.tree_with_namespaces(envelope))

    def _decode(self, root: Any) -> object:
        header, body = self._split(root)
        if header is not None:
            _require_understood(header, self.operation)
        if len(body) and local(body[0].tag) == "Fault" and body[0].tag[1:].partition("}")[0] in ENVELOPES.values():
            raise self._fault.problem(body[0], header)
        if self.operation.style == "rpc" and self._encoded is None:
            _unqualify(body)
        try:
            return self._body.read(header, body)
        except (ValueError, RecursionError) as error:
            detail = str(error) if isinstance(error, ValueError) else "nested too deep"
            raise BadAnswer(f"the answer does not fit the contract: {detail}") from error

    def _split(self, root: Any) -> tuple[Any, Any]:
        """Header (or None) and Body of an envelope."""
        space, _, name = root.tag[1:].partition("}")
        if name != "Envelope" or space not in ENVELOPES.values():
            raise BadAnswer("the answer is not a SOAP envelope")
        header = None
        for child in root:
            if child.tag == f"{{{space}}}Header" and header is None:
                header = child
            elif child.tag == f"{{{space}}}Body":
                if space != self._space and not (len(child) and local(child[0].tag) == "Fault"):
                    raise BadAnswer("the answer is of another SOAP version than the request")
                return header, child
            else:
                break
        raise BadAnswer("the SOAP envelope of the answer has no body")


def _require_understood(header: Any, operation: Operation) -> None:
    """What must be understood and is not makes a message unusable, a fault too (SOAP 1.1 section 4.2.3, SOAP 1.2 part 1 section
    2.6). WS-Addressing is always understood, and so are the headers the contract declares."""
    space = header.tag[1:].partition("}")[0]
    answered = operation.output.headers if operation.output is not None else ()
    declared = {element.name for element in (*answered, *operation.header_faults)}
    for block in header:
        role = block.get(f"{{{space}}}actor") or block.get(f"{{{space}}}role") or ""
        must = (block.get(f"{{{space}}}mustUnderstand") or "").strip() in ("1", "true")
        if must and role.strip() in _ROLES and block.tag not in declared and namespace(block.tag) not in SPACES:
            raise BadAnswer(f"the answer has a header that must be understood and is not: {local(block.tag)[:100]}")


def _transport(operation: Operation) -> tuple[str, Headers]:
    action = "".join(c for c in operation.action if " " <= c <= "~" and c not in '"\\')
    if operation.version == "1.1":
        return "text/xml; charset=utf-8", [(b"soapaction", f'"{action}"'.encode())]
    suffix = f'; action="{action}"' if action else ""
    return f"application/soap+xml; charset=utf-8{suffix}", []


def _encoder(contract: Contract, message: Message, space: str) -> Callable[[Any], bytes]:
    """The function that renders the whole envelope."""
    compiler = WriterCompiler(contract)
    writers = compiler.compile((*message.body, *message.headers))
    body, headers = writers[: len(message.body)], writers[len(message.body) :]
    start = _start(space, compiler.prefixes)
    typed = _is_body(message, space)
    begin, end = ("", "</soapenv:Envelope>") if typed else (_BODY, _END)
    names = [local(element.name) for element in message.body]
    header_writers = {local(element.name): write for element, write in zip(message.headers, headers, strict=True)}

    def content(value: Any) -> str:
        if message.keyed:
            if len(value) != len(names):
                raise ValueError
            return "".join([write(value[name]) for name, write in zip(names, body, strict=True)])
        if body:
            return body[0](value)
        if value is not None and value != {}:
            raise ValueError
        return ""

    def encode(value: Any) -> bytes:
        return f"{start}{begin}{content(value)}{end}".encode()

    def encode_with_headers(value: Any) -> bytes:
        if value.__class__ is not dict or "$headers" not in value:
            return encode(value)
        header, rest = _headers(value, header_writers)
        return f"{start}{header}{begin}{content(rest)}{end}".encode()

    return encode_with_headers if header_writers else encode


def _is_body(message: Message, space: str) -> bool:
    """Whether the one part is the content of the body rather than an element in it."""
    return [element.name for element in message.body] == [f"{{{space}}}Body"]


def _start(space: str, prefixes: Prefixes) -> str:
    return f'<?xml version="1.0" encoding="utf-8"?>\n<soapenv:Envelope xmlns:soapenv="{space}"{prefixes.declarations()}>'


def _headers(value: dict[str, Any], writers: Mapping[str, Callable[[Any], str]]) -> tuple[str, Any]:
    """The header element of a value that has headers, and the value without them."""
    given = value["$headers"]
    rest = {key: item for key, item in value.items() if key != "$headers"}
    text = "".join([writers[key](given[key]) for key in given])
    return f"<soapenv:Header>{text}</soapenv:Header>", rest["$value"] if rest.keys() == {"$value"} else rest


def _encoded_encoder(contract: Contract, operation: Operation, check: Checker, space: str) -> Callable[[Any], bytes]:
    """The function that renders the envelope of a SOAP-encoded call, once the value has been checked."""
    message = operation.input
    writer = EncodedWriter(contract, operation.version)
    body = writer.wrapper(message.body[0], "soapenv")
    headers = {local(element.name): writer.element(element) for element in message.headers}
    start = _start(space, writer.prefixes)

    def encode(value: Any) -> bytes:
        if check(value):
            raise ValueError
        header, rest = _headers(value, headers) if "$headers" in value else ("", value)
        return f"{start}{header}{_BODY}{body(rest)}{_END}".encode()

    return encode


def _fault_readers(
    reader: ReaderCompiler, encoded: EncodedReader | None, faults: Mapping[str, Element]
) -> dict[str, ElementReader]:
    if encoded is None:
        return dict(zip(faults, reader.compile(faults.values()), strict=True))
    return {name: partial(_encoded_element, encoded, element) for name, element in faults.items()}


def _encoded_element(encoded: EncodedReader, element: Element, node: Any, depth: int) -> object:
    del depth
    return encoded.element(element, node)


class _BodyReader:
    """Reads the body, and declared headers, of the answer that was asked for."""

    def __init__(self, compiler: ReaderCompiler, message: Message | None, encoded: EncodedReader | None) -> None:
        self._message = message or Message()
        self._encoded = encoded
        self._elements = [element.name for element in self._message.body]
        self._typed = any(_is_body(self._message, space) for space in ENVELOPES.values())
        headers = self._message.headers
        if encoded is not None:
            self._readers: list[ElementReader] = []
            header_readers: list[ElementReader] = [partial(_encoded_element, encoded, element) for element in headers]
        else:
            readers = compiler.compile((*self._message.body, *headers))
            self._readers, header_readers = readers[: len(self._elements)], readers[len(self._elements) :]
        self._headers = {e.name: (local(e.name), read) for e, read in zip(headers, header_readers, strict=True)}

    def read(self, header: Any, body: Any) -> object:
        value = self._encoded.body(self._message, body) if self._encoded is not None else self._literal(body)
        headers = self._header_values(header) if self._headers and header is not None else {}
        if not headers:
            return value
        return {**value, "$headers": headers} if isinstance(value, dict) else {"$value": value, "$headers": headers}

    def _literal(self, body: Any) -> object:
        if self._typed:
            return self._readers[0](body, 0)
        if [child.tag for child in body] != self._elements:
            raise ValueError("the body holds another element than the contract names")
        values = [read(child, 0) for read, child in zip(self._readers, body, strict=True)]
        value: object = values[0] if len(values) == 1 else {}
        if self._message.keyed:
            value = {local(name): item for name, item in zip(self._elements, values, strict=True)}
        return value

    def _header_values(self, header: Any) -> dict[str, object]:
        found = {}
        for child in header:
            if child.tag in self._headers:
                key, read = self._headers[child.tag]
                found[key] = read(child, 0)
        return found


def _unqualify(body: Any) -> None:
    """Part accessors are in no namespace (WS-I Basic Profile 1.1, R2735); servers are known that put them into their own."""
    for wrapper in body:
        for part in wrapper:
            if part.tag.startswith("{"):
                part.tag = local(part.tag)
