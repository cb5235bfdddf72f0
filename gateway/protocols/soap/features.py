"""What a WSDL asks of messages beyond their content: WS-Addressing, and MTOM.

Said by an element of the binding or port (``wsaw:UsingAddressing``, WS-Addressing 1.0 WSDL Binding), or by an assertion of a
policy attached there (WS-Addressing 1.0 Metadata section 3.1, MTOM Serialization Policy Assertion 1.1, WS-MTOMPolicy). An
assertion in any alternative counts, so one that is optional does. Other assertions are not looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from gateway.protocols.soap.documents import Node, children
from gateway.protocols.soap.model import local, namespace

WSA: Final = "http://www.w3.org/2005/08/addressing"
SUBMISSION: Final = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
"""WS-Addressing as it was submitted to the W3C, still spoken by servers of that time."""

_WSDL: Final = "http://schemas.xmlsoap.org/wsdl/"
_WSAM: Final = "http://www.w3.org/2007/05/addressing/metadata"
_WSAW: Final = "http://www.w3.org/2006/05/addressing/wsdl"
_ADDRESSING: Final = {
    f"{{{_WSAM}}}Addressing": WSA,
    f"{{{_WSAW}}}UsingAddressing": WSA,
    "{http://schemas.xmlsoap.org/ws/2004/08/addressing/policy}UsingAddressing": SUBMISSION,
}
_ELSEWHERE: Final = f"{{{_WSAM}}}NonAnonymousResponses"
_MTOM: Final = frozenset(
    {
        "{http://schemas.xmlsoap.org/ws/2004/09/policy/optimizedmimeserialization}OptimizedMimeSerialization",
        "{http://www.w3.org/2007/08/soap12-mtom-policy}MTOM",
    }
)
_POLICIES: Final = (
    "http://schemas.xmlsoap.org/ws/2004/09/policy",
    "http://www.w3.org/2006/07/ws-policy",
    "http://www.w3.org/ns/ws-policy",
)
_IDS: Final = (
    "{http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd}Id",
    "{http://www.w3.org/XML/1998/namespace}id",
)
_ACTIONS: Final = tuple(f"{{{space}}}Action" for space in (_WSAM, _WSAW, WSA, SUBMISSION))


@dataclass(frozen=True, slots=True)
class Features:
    """:param addressing: the namespace of WS-Addressing, "" when it is not asked for.
    :param elsewhere: answers go to another address than back, over a connection of the server's own.
    :param mtom: requests may be, or have to be, MTOM."""

    addressing: str = ""
    elsewhere: bool = False
    mtom: bool = False


class Policies:
    """The policies of linked WSDLs, by what refers to them."""

    def __init__(self, roots: Iterable[Node]) -> None:
        self._roots = tuple(roots)

    def features(self, *subjects: Node) -> Features:
        """What is asked of the messages of a binding or port."""
        asked = [node for subject in subjects for node in self._said(subject)]
        spaces = [_ADDRESSING[str(node.tag)] for node in asked if node.tag in _ADDRESSING]
        return Features(
            WSA if WSA in spaces else "".join(spaces[:1]),
            any(node.tag == _ELSEWHERE for node in asked),
            any(node.tag in _MTOM for node in asked),
        )

    def _said(self, subject: Node) -> Iterator[Node]:
        yield from children(subject)
        for node in children(subject):
            if namespace(str(node.tag)) in _POLICIES:
                yield from self._policy(node, set())

    def _policy(self, node: Node, seen: set[str]) -> Iterator[Node]:
        """The assertions of a policy, those it refers to included (WS-Policy section 4.3.4), and what is nested in them."""
        for each in node.iter("*"):
            yield each
            uri = each.get("URI") if local(str(each.tag)) == "PolicyReference" else None
            if uri and uri.startswith("#") and uri not in seen:
                seen.add(uri)
                for policy in self._by_id.get(uri[1:], ()):
                    yield from self._policy(policy, seen)

    @cached_property
    def _by_id(self) -> dict[str, list[Node]]:
        found: dict[str, list[Node]] = {}
        for root in self._roots:
            for policy in root.iter(*(f"{{{space}}}Policy" for space in _POLICIES)):
                for id in filter(None, map(policy.get, _IDS)):
                    found.setdefault(id, []).append(policy)
        return found


def answers_elsewhere(operation: Node) -> bool:
    """Whether a bound operation never answers on the connection it was called on (``wsaw:Anonymous`` is ``prohibited``)."""
    return (operation.findtext(f"{{{_WSAW}}}Anonymous") or "").strip() == "prohibited"


def request_action(operation: Node, soap_action: str) -> str:
    """The [action] of a port type operation's request: the one it is given, the SOAPAction, or the default action pattern
    (WS-Addressing 1.0 Metadata section 4.4)."""
    given = operation.find(f"{{{_WSDL}}}input")
    said = next((given.get(name) for name in _ACTIONS if given is not None and given.get(name)), None)
    if said or soap_action:
        return said or soap_action
    port_type = operation.getparent()
    space = (operation.getroottree().getroot().get("targetNamespace") or "").rstrip("/")
    default = (operation.get("name") or "") + ("Request" if operation.find(f"{{{_WSDL}}}output") is not None else "")
    name = (given.get("name") if given is not None else None) or default
    step = ":" if space.lower().startswith("urn:") else "/"
    return step.join((space, (port_type.get("name") if port_type is not None else None) or "", name))
