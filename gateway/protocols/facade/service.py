"""A SOAP service made of routes: its WSDL, and for each operation the codec that takes requests and gives answers.

The codecs are those of ``protocols.soap``, compiled from the service's own WSDL as from any other: a request is read as an answer
would be, an answer written as a request. Pure; safe to share between threads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from threading import Lock
from typing import Any, Final
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from gateway.errors import FieldError, Unprocessable
from gateway.exchange import ABSENT
from gateway.protocols.facade import order as ordering
from gateway.protocols.facade import wsdl
from gateway.protocols.facade.facets import text
from gateway.protocols.facade.names import ncname
from gateway.protocols.facade.order import Order
from gateway.protocols.facade.shapes import Fields, Inexpressible, Leaf, Member, Shapes, shapes_of
from gateway.protocols.facade.values import Misfit, given, taken
from gateway.protocols.facade.wsdl import Described
from gateway.protocols.soap import read_contract
from gateway.protocols.soap.model import ENVELOPES, Contract
from gateway.protocols.soap.reader import ReaderCompiler
from gateway.protocols.soap.writer import Prefixes, WriterCompiler

NAMESPACE: Final = "urn:erp-gateway:soap:"
_SOURCE: Final = "http://facade.invalid/service.wsdl"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Offer:
    """One route as it is to be offered.

    :param name: of the operation: the second half of the route's operation id.
    :param path: names of the path's parameters.
    :param request: JSON Schema of the route's request, path parameters included; None where there is nothing but those.
    :param answer: of its answer; None where the ERP answers nothing.
    :param body: whether the request has a body; without one everything is a parameter.
    :param recorded: whether a call becomes a document.
    """

    name: str
    path: tuple[str, ...]
    request: Json | None
    answer: Json | None
    body: bool
    recorded: bool
    doc: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """A request in REST terms: ``query`` pairs and path ``params`` not yet percent-encoded, ``value`` the body or ABSENT."""

    params: Mapping[str, str]
    query: tuple[tuple[str, str], ...]
    value: object

    def path(self, template: str) -> str:
        """The raw path of the call."""
        for name, value in self.params.items():
            template = template.replace(f"{{{name}}}", quote(value, safe=""))
        return template


def require_expressible(offer: Offer) -> None:
    """Raises ``Inexpressible``."""
    _plan(offer, {})


class Service:
    """Immutable. One SOAP service over the routes of a resource in one version.

    What is wrong with it is found when it is made; an operation is compiled when it is first called.

    :ivar missing: elements that no frozen order names, as ``operation: path``.
    """

    def __init__(self, name: str, version: str, offers: Sequence[Offer], orders: Mapping[str, Mapping[str, Order]]) -> None:
        """Raises ``Inexpressible``."""
        self.name = name
        self.version = version
        self.space = f"{NAMESPACE}{name}:{version}"
        self._plans = {offer.name: _plan(offer, orders.get(offer.name, {})) for offer in offers}
        self._operations: dict[str, OfferedOperation] = {}
        self._compiling = Lock()
        self.missing = [f"{plan.offer.name}: {path}" for plan in self._plans.values() for path in plan.missing]

    def frozen(self) -> dict[str, dict[str, dict[str, list[str]]]]:
        """For each operation the order of its elements, as it is to be written down."""
        return {name: plan.frozen() for name, plan in self._plans.items()}

    @property
    def names(self) -> list[str]:
        """The names of the operations."""
        return list(self._plans)

    def wsdl(self, address: str) -> bytes:
        """The WSDL with the service's own address."""
        return self._published.replace(_attribute(wsdl.ADDRESS), _attribute(address))

    def operation(self, element: str) -> OfferedOperation | None:
        """The operation whose requests have this element, a Clark name, in their body. The first time it is compiled, which may
        take a while."""
        name = self._named(element)
        if name is None:
            return None
        with self._compiling:
            if name not in self._operations:
                self._operations[name] = self._compiled(self._plans[name])
            return self._operations[name]

    def is_ready(self, element: str) -> bool:
        """Whether ``operation`` has its answer at hand."""
        name = self._named(element)
        return name is None or name in self._operations

    def _named(self, element: str) -> str | None:
        name = element.removeprefix(f"{{{self.space}}}")
        return name if name != element and name in self._plans else None

    def by_action(self, action: str) -> str | None:
        """The element in the body that a SOAPAction stands for, None for an action that is none of the service's."""
        name = action.removeprefix(f"{self.space}:")
        return f"{{{self.space}}}{name}" if name != action and name in self.names else None

    def problem(self, value: object) -> str:
        """The ``problem`` element of a fault's detail."""
        return self._fault[0](value)

    def envelope(self, version: str, content: str, header: str = "") -> bytes:
        """An envelope around content whose prefixes are those of ``problem``."""
        return wrapped(version, content, header, self._fault[1])

    @cached_property
    def _published(self) -> bytes:
        return wsdl.render(self.space, self.name, [plan.described for plan in self._plans.values()])

    @cached_property
    def _fault(self) -> tuple[Callable[[object], str], Prefixes]:
        """What renders the fault's element, and its prefixes."""
        contract = self._contract()
        writing = WriterCompiler(contract)
        (write,) = writing.compile([contract.elements[f"{{{self.space}}}{wsdl.PROBLEM}"]])
        return write, writing.prefixes

    def _compiled(self, plan: _Plan) -> OfferedOperation:
        contract = self._contract(plan.described)
        found = next(operation for operation in contract.operations if operation.version == "1.1")
        (read,) = ReaderCompiler(contract).compile(found.input.body)
        writing = WriterCompiler(contract)
        assert found.output is not None
        (write,) = writing.compile(found.output.body)
        return OfferedOperation(plan, read, write, writing.prefixes)

    def _contract(self, *described: Described) -> Contract:
        """The service with some of its operations only: nobody waits for those that are not called."""
        source = wsdl.render(self.space, self.name, described, exact=False)
        return read_contract(_SOURCE, fetch=lambda _: source)


def wrapped(version: str, content: str, header: str = "", prefixes: Prefixes | None = None) -> bytes:
    """An envelope, UTF-8. ``header`` is the content of its header."""
    declared = prefixes.declarations() if prefixes is not None else ""
    head = f"<soapenv:Header>{header}</soapenv:Header>" if header else ""
    return (
        f'<?xml version="1.0" encoding="utf-8"?>\n<soapenv:Envelope xmlns:soapenv="{ENVELOPES[version]}"{declared}>'
        f"{head}<soapenv:Body>{content}</soapenv:Body></soapenv:Envelope>"
    ).encode()


def _attribute(value: str) -> bytes:
    return b"location=" + quoteattr(value, {'"': "&quot;"}).encode()


class OfferedOperation:
    """One operation: messages in and out of REST terms."""

    def __init__(self, plan: _Plan, read: Any, write: Any, prefixes: Prefixes) -> None:
        self.name = plan.offer.name
        self._plan = plan
        self._read = read
        self._write = write
        self._prefixes = prefixes

    def call(self, element: Any) -> Call:
        """The call an element of a request stands for. Raises ``Unprocessable`` with everything that does not fit its types."""
        offer, shapes = self._plan.offer, self._plan.described.request
        try:
            message = self._read(element, 0)
        except (ValueError, RecursionError) as error:
            detail = str(error) if isinstance(error, ValueError) else "nested too deep"
            raise Unprocessable(f"The message does not fit the WSDL: {detail}.", errors=[FieldError("", detail)]) from error
        errors: list[FieldError] = []
        value = taken(message, shapes.root, shapes.definitions, "", errors)
        if errors:
            raise Unprocessable(errors[0].detail if len(errors) == 1 else f"{len(errors)} fields are wrong", errors=errors)
        params = {name: text(value.pop(name)) for name in offer.path if name in value}
        if len(params) < len(offer.path):
            raise Unprocessable(errors=[FieldError(f"path/{n}", "is required") for n in offer.path if n not in params])
        if offer.body:
            return Call(params, (), value.get(BARE) if self._plan.bare_request else value)
        return Call(params, tuple((name, text(item)) for name, item in value.items()), ABSENT)

    def answer(self, version: str, value: object, document: Json | None, header: str = "") -> bytes:
        """The envelope of an answer; ``value`` is ABSENT where there is only a document. Raises ``Misfit``."""
        parts: Json = {}
        shapes = self._plan.described.answer
        if value is not ABSENT and shapes is not None:
            whole = {BARE: value} if self._plan.bare_answer else value
            parts["answer"] = given(whole, shapes.root, shapes.definitions)
        if document is not None:
            parts["document"] = given(document, wsdl.DOCUMENT, {})
        try:
            content = self._write(parts)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise Misfit("the answer holds a value its type does not have") from error
        return wrapped(version, content, header, self._prefixes)


# --- from a route to what is published ---------------------------------------------------------------------------------

BARE: Final = "value"
"""The element around a request or answer that is no object."""


@dataclass(frozen=True, slots=True)
class _Plan:
    offer: Offer
    described: Described
    missing: tuple[str, ...]
    orders: Mapping[str, Order]
    bare_request: bool
    bare_answer: bool

    def frozen(self) -> dict[str, dict[str, list[str]]]:
        found = {"request": ordering.merged(self.described.request, self.orders.get("request", {}))}
        if self.described.answer is not None:
            found["answer"] = ordering.merged(self.described.answer, self.orders.get("answer", {}))
        return found


def _plan(offer: Offer, orders: Mapping[str, Order]) -> _Plan:
    """What one route is published as. Raises ``Inexpressible``."""
    if offer.name == wsdl.PROBLEM:
        raise Inexpressible(f"an operation cannot be called {wsdl.PROBLEM}: that is the fault's element")
    try:
        request, bare_request = _rooted(_request(offer))
    except Inexpressible as error:
        raise Inexpressible(f"in the request {error}") from error
    try:
        answer, bare_answer = _rooted(shapes_of(offer.answer)) if offer.answer is not None else (None, False)
    except Inexpressible as error:
        raise Inexpressible(f"in the answer {error}") from error
    missing = [f"request {path}" for path in ordering.missing(request, orders.get("request", {}))]
    request = ordering.arranged(request, orders.get("request", {}))
    if answer is not None:
        missing += [f"answer {path}" for path in ordering.missing(answer, orders.get("answer", {}))]
        answer = ordering.arranged(answer, orders.get("answer", {}))
    described = Described(offer.name, request, answer, offer.recorded, offer.doc)
    return _Plan(offer, described, tuple(missing), orders, bare_request, bare_answer)


def _request(offer: Offer) -> Shapes:
    shapes = shapes_of(offer.request) if offer.request is not None else Shapes(Fields(()))
    members = shapes.root.members if isinstance(shapes.root, Fields) else ()
    known = {member.key for member in members}
    added = tuple(Member(name, ncname(name), Leaf("string", "string"), required=True) for name in offer.path if name not in known)
    if not isinstance(shapes.root, Fields) and offer.body and not offer.path:
        return shapes
    if not isinstance(shapes.root, Fields):
        raise Inexpressible("the whole is no object, and there are parameters beside it")
    members = (*added, *(replace(member, required=True) if member.key in offer.path else member for member in members))
    if not offer.body:
        members = tuple(_parameter(member) for member in members)
    for name in offer.path:
        _parameter(next(member for member in members if member.key == name))
    return Shapes(Fields(members), shapes.definitions)


def _parameter(member: Member) -> Member:
    """A member as a parameter of a path or query, where there is no null and nothing but text."""
    if not isinstance(member.shape, Leaf):
        raise Inexpressible(f"{member.key} is a parameter and holds more than one value")
    return replace(member, shape=replace(member.shape, nullable=False))


def _rooted(shapes: Shapes) -> tuple[Shapes, bool]:
    """The shapes with an object at their root, and whether one had to be put around them."""
    if isinstance(shapes.root, Fields):
        return shapes, False
    return Shapes(Fields((Member(BARE, BARE, shapes.root, required=True),)), shapes.definitions), True
