"""One operation compiled: JSON value to request envelope, answer envelope to JSON value or to the problem it stands for.

SOAP 1.1 (W3C Note 2000-05-08) and SOAP 1.2 part 1. The envelope around the body is rendered once, at compile time. A plain
answer is scanned, any other read from the fast tree; the rare one that needs namespace prefixes is read again from lxml's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from gateway.errors import BadAnswer, FieldError, Unprocessable
from gateway.protocols.soap import answers
from gateway.protocols.soap.checker import Checker
from gateway.protocols.soap.faults import FaultReader
from gateway.protocols.soap.model import Contract, Message, Operation, local
from gateway.protocols.soap.reader import NamespacesNeeded, ReaderCompiler
from gateway.protocols.soap.scanner import MISS, Scanner
from gateway.protocols.soap.writer import WriterCompiler

ENVELOPES: Final = {"1.1": "http://schemas.xmlsoap.org/soap/envelope/", "1.2": "http://www.w3.org/2003/05/soap-envelope"}
Headers = list[tuple[bytes, bytes]]


def compile_operation(contract: Contract, operation: Operation) -> Codec:
    """Compile the codec of an operation the contract offers."""
    return Codec(contract, operation)


class Codec:
    """Pure and safe to share between threads.

    :ivar content_type: of the request, ``action`` included for SOAP 1.2.
    :ivar headers: request headers beside the content type: SOAPAction for SOAP 1.1.
    """

    def __init__(self, contract: Contract, operation: Operation) -> None:
        self.operation = operation
        self.content_type, self.headers = _transport(operation)
        self._space = ENVELOPES[operation.version]
        self._encode = _encoder(contract, operation.input, self._space)
        self._check = Checker(contract, operation.input)
        self._scanner = Scanner(contract, operation.output, self._space)
        reader = ReaderCompiler(contract)
        self._body = _BodyReader(reader, operation.output, self._space)
        self._fault = FaultReader(reader, operation.faults)

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
        value = self._scanner.read(envelope)
        if value is not MISS:
            return value
        try:
            return self._decode(answers.tree(envelope))
        except NamespacesNeeded:
            return self._decode(answers.tree_with_namespaces(envelope))

    def _decode(self, root: Any) -> object:
        header, body = self._split(root)
        if len(body) and local(body[0].tag) == "Fault" and body[0].tag[1:].partition("}")[0] in ENVELOPES.values():
            raise self._fault.problem(body[0])
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
    start = (
        f'<?xml version="1.0" encoding="utf-8"?>\n<soapenv:Envelope xmlns:soapenv="{space}"{compiler.prefixes.declarations()}>'
    )
    middle, end = "<soapenv:Body>", "</soapenv:Body></soapenv:Envelope>"
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
        return f"{start}{middle}{content(value)}{end}".encode()

    def encode_with_headers(value: Any) -> bytes:
        if value.__class__ is not dict or "$headers" not in value:
            return encode(value)
        given = value["$headers"]
        rest = {key: item for key, item in value.items() if key != "$headers"}
        if rest.keys() == {"$value"}:
            rest = rest["$value"]
        text = "".join([header_writers[key](given[key]) for key in given])
        return f"{start}<soapenv:Header>{text}</soapenv:Header>{middle}{content(rest)}{end}".encode()

    return encode_with_headers if header_writers else encode


class _BodyReader:
    """Reads the body, and declared headers, of the answer that was asked for."""

    def __init__(self, compiler: ReaderCompiler, message: Message | None, space: str) -> None:
        self._message = message or Message()
        self._elements = [element.name for element in self._message.body]
        readers = compiler.compile((*self._message.body, *self._message.headers))
        self._readers = readers[: len(self._elements)]
        self._headers = {
            element.name: (local(element.name), read)
            for element, read in zip(self._message.headers, readers[len(self._elements) :], strict=True)
        }

    def read(self, header: Any, body: Any) -> object:
        if [child.tag for child in body] != self._elements:
            raise ValueError("the body holds another element than the contract names")
        values = [read(child, 0) for read, child in zip(self._readers, body, strict=True)]
        value: object = values[0] if len(values) == 1 else {}
        if self._message.keyed:
            value = {local(name): item for name, item in zip(self._elements, values, strict=True)}
        headers = self._header_values(header) if self._headers and header is not None else {}
        if not headers:
            return value
        return {**value, "$headers": headers} if isinstance(value, dict) else {"$value": value, "$headers": headers}

    def _header_values(self, header: Any) -> dict[str, object]:
        found = {}
        for child in header:
            if child.tag in self._headers:
                key, read = self._headers[child.tag]
                found[key] = read(child, 0)
        return found
