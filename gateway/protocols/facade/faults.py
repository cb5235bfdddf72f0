"""Problems as SOAP faults (SOAP 1.1 section 4.4, SOAP 1.2 part 1 section 5.4), with the problem itself in the detail.

A problem of the client's making is ``Client`` or ``Sender``, any other ``Server`` or ``Receiver``. What the problem does not say
the fault does not say either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from gateway.errors import Problem
from gateway.protocols.facade.names import element_path
from gateway.protocols.soap.model import ENVELOPES
from gateway.protocols.soap.wildcards import escape

WSSE: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSU: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
WSA: Final = "http://www.w3.org/2005/08/addressing"
_SPACES: Final = {
    "FailedAuthentication": ("wsse", WSSE),
    "InvalidSecurity": ("wsse", WSSE),
    "InvalidSecurityToken": ("wsse", WSSE),
    "UnsupportedSecurityToken": ("wsse", WSSE),
    "MessageExpired": ("wsu", WSU),
    "InvalidAddressingHeader": ("wsa", WSA),
    "OnlyAnonymousAddressSupported": ("wsa", WSA),
}
_PLAIN: Final = frozenset({"VersionMismatch", "MustUnderstand"})
_CODE: Final = "fault_code"
"""The member of a problem that names a code of its own."""

_TOLD: Final = ("type", "title", "status", "detail", "instance", "origin", "retryable", "outcome", "document")

Json = dict[str, Any]


P = TypeVar("P", bound=Problem)


def coded(kind: type[P], code: str, detail: str) -> P:
    """A problem that SOAP, WS-Security or WS-Addressing has a fault code for; ``code`` is its local name."""
    return kind(detail, extensions={_CODE: code})


def fault(version: str, problem: Mapping[str, Any], write: Callable[[object], str] | None, wait: int | None = None) -> str:
    """The Fault element.

    :param problem: RFC 9457 members.
    :param write: renders the service's ``problem`` element; None where no service is known.
    :param wait: seconds after which to try again.
    """
    code = str(problem.get(_CODE, "FailedAuthentication" if problem["status"] == 401 else ""))
    blames = blames_caller(problem)
    reason = escape(_clean(_sentence(problem)))
    # A fault about the header has no detail: that is about the body (SOAP 1.1 section 4.4).
    detail = write(_problem(problem, wait)) if write is not None and code not in _PLAIN else ""
    if version == "1.1":
        return _fault_11(code, blames, reason, detail)
    return _fault_12(code, blames, reason, detail)


def blames_caller(problem: Mapping[str, Any]) -> bool:
    """Whether sending the same again is of no use, for what the caller sent is the reason."""
    return 400 <= int(problem["status"]) < 500


def _fault_11(code: str, blames: bool, reason: str, detail: str) -> str:
    name, declared = f"soapenv:{'Client' if blames else 'Server'}", ""
    if code in _PLAIN:
        name = f"soapenv:{code}"
    elif code:
        prefix, space = _SPACES[code]
        name, declared = f"{prefix}:{code}", f' xmlns:{prefix}="{space}"'
    inner = f"<detail>{detail}</detail>" if detail else ""
    return f"<soapenv:Fault{declared}><faultcode>{name}</faultcode><faultstring>{reason}</faultstring>{inner}</soapenv:Fault>"


def _fault_12(code: str, blames: bool, reason: str, detail: str) -> str:
    value, subcode = f"soapenv:{'Sender' if blames else 'Receiver'}", ""
    if code in _PLAIN:
        value = f"soapenv:{code}"
    elif code:
        prefix, space = _SPACES[code]
        subcode = f'<soapenv:Subcode><soapenv:Value xmlns:{prefix}="{space}">{prefix}:{code}</soapenv:Value></soapenv:Subcode>'
    inner = f"<soapenv:Detail>{detail}</soapenv:Detail>" if detail else ""
    return (
        f"<soapenv:Fault><soapenv:Code><soapenv:Value>{value}</soapenv:Value>{subcode}</soapenv:Code>"
        f'<soapenv:Reason><soapenv:Text xml:lang="en">{reason}</soapenv:Text></soapenv:Reason>{inner}</soapenv:Fault>'
    )


def upgrade() -> str:
    """The header of a VersionMismatch fault: which versions there are (SOAP 1.2 part 1 section 5.4.7)."""
    versions = "".join(
        f'<u:SupportedEnvelope qname="e{number}:Envelope" xmlns:e{number}="{space}"/>'
        for number, space in enumerate(reversed(ENVELOPES.values()), 1)
    )
    return f'<u:Upgrade xmlns:u="{ENVELOPES["1.2"]}">{versions}</u:Upgrade>'


def _sentence(problem: Mapping[str, Any]) -> str:
    """What people who only see the fault's text need: what is wrong, and the first places."""
    errors = [f"{element_path(e['pointer']) or 'the message'} {e['detail']}" for e in problem.get("errors", ())[:3]]
    text = problem.get("detail") or problem["title"]
    return f"{text} ({'; '.join(errors)})" if errors else str(text)


def _problem(problem: Mapping[str, Any], wait: int | None) -> Json:
    found: Json = {name: _cleaned(problem[name]) for name in _TOLD if problem.get(name) is not None}
    if wait is not None:
        found["retryAfter"] = wait
    found["error"] = [
        {"pointer": _clean(e["pointer"]), "element": _clean(element_path(e["pointer"])), "detail": _clean(e["detail"])}
        for e in problem.get("errors", ())
    ]
    return found


def _cleaned(value: Any) -> Any:
    return _clean(value) if isinstance(value, str) else value


def _clean(text: str) -> str:
    """Text without what XML cannot hold, so that a fault can always be told."""
    return "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text)
