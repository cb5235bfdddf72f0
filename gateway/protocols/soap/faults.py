"""SOAP faults into problems (SOAP 1.1 section 4.4, SOAP 1.2 part 1 section 5.4).

A fault whose detail is an element the operation declares is the ERP saying no: ``Refused``, with that detail typed. Any other
blames the request (``Client``, ``Sender``, its addressing) or the ERP. Undeclared detail and texts that look like internals never
reach a caller.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from gateway.errors import FaultClient, FaultServer, Refused, UpstreamProblem
from gateway.protocols.soap.model import XML, local, namespace
from gateway.protocols.soap.nodes import NamespacesNeeded

_ADDRESSING: Final = frozenset(
    {
        "InvalidAddressingHeader",
        "MessageAddressingHeaderRequired",
        "ActionNotSupported",
        "InvalidMessageInformationHeader",
        "MessageInformationHeaderRequired",
    }
)
"""Codes by which SOAP 1.1 says that a message's addressing is refused; SOAP 1.2 has them below Sender (WS-Addressing 1.0 SOAP
Binding section 6.4; the last two are those of 2004/08)."""
_CLIENT: Final = frozenset({"Client", "Sender"}) | _ADDRESSING
_MAX_TEXT = 200
_INTERNAL = re.compile(
    r"[\n\r\t\\<>{}]|://|/\w+/|\bat \w+\.|\w\.\w+\(|\b([a-z_]\w*\.){2}[a-z_]|Exception|Traceback|Error:|SQL|ORA-\d"
    r"|\.(java|py|cs|php|dll)\b|(?-i:\b(SELECT .{1,200} FROM|INSERT INTO|DELETE FROM|UPDATE .{1,200} SET) )",
    re.I,
)
_QNAME = re.compile(r"[\w.:-]{1,100}").fullmatch

Readers = Mapping[str, Callable[[Any, int], object]]


class FaultReader:
    """Reads the faults of one operation; ``readers`` are those of the declared detail elements, by Clark name, ``headers`` those
    of what the header of a fault may hold."""

    def __init__(self, readers: Readers, headers: Readers) -> None:
        self._readers = readers
        self._headers = headers

    def problem(self, fault: Any, header: Any = None) -> UpstreamProblem:
        """The problem a Fault element stands for, to be raised. ``header`` is the envelope's, or None."""
        codes, actor, reasons, detail = (_fault_12 if _has_code(fault) else _fault_11)(fault)
        facts: dict[str, object] = {"code": codes[0] if codes else "", "subcodes": codes[1:]}
        if actor and not _INTERNAL.search(actor.replace("://", "")):
            facts["actor"] = actor[:_MAX_TEXT]
        headers = _known(header, self._headers)
        if headers:
            facts["headers"] = headers
        declared = self._declared(detail)
        if declared is not None:
            facts |= {"reasons": {lang: text[:_MAX_TEXT] for lang, text in reasons.items()}, "detail": declared}
            return Refused(_sentence(reasons), extensions={"fault": facts})
        facts["reasons"] = {lang: text for lang, text in reasons.items() if _presentable(text)}
        kind = FaultClient if codes and codes[0] in _CLIENT else FaultServer
        return kind(_sentence(facts["reasons"]), extensions={"fault": facts})  # type: ignore[arg-type]

    def _declared(self, detail: Any) -> dict[str, object] | None:
        """The first declared element of the detail, as a one-key object."""
        for child in () if detail is None else detail:
            if child.tag in self._readers or local(child.tag) in self._readers:
                return _known((child,), self._readers) or None
        return None


def _known(nodes: Iterable[Any] | None, readers: Readers) -> dict[str, object]:
    """The values of the declared ones among elements, by local name; without those that are not what they were declared to be."""
    found: dict[str, object] = {}
    for node in nodes if nodes is not None else ():
        read = readers.get(node.tag) or readers.get(local(node.tag))
        if read is None:
            continue
        try:
            found[local(node.tag)] = read(node, 0)
        except NamespacesNeeded:
            raise
        except (ValueError, RecursionError):
            continue
    return found


def _presentable(text: str) -> bool:
    return 0 < len(text) <= _MAX_TEXT and not _INTERNAL.search(text) and text.isprintable()


def _sentence(reasons: Mapping[str, str]) -> str:
    return next((text for text in reasons.values() if _presentable(text)), "")


def _code(text: str | None) -> str:
    """The local part of a code; codes are shown, so anything that is no QName is left out."""
    text = (text or "").strip().rpartition(":")[2]
    return text if _QNAME(text) else ""


def _has_code(fault: Any) -> bool:
    """Whether the fault has the shape of SOAP 1.2. Servers are known that write either shape in either envelope."""
    return fault.find(f"{{{namespace(fault.tag)}}}Code") is not None


def _fault_11(fault: Any) -> tuple[list[str], str, dict[str, str], Any]:
    parts = {local(child.tag): child for child in fault}
    codes = [part for part in _code(_text(parts.get("faultcode"))).split(".") if part]
    reason = _text(parts.get("faultstring"))
    lang = parts["faultstring"].get(f"{{{XML}}}lang", "und") if "faultstring" in parts else "und"
    return codes, _text(parts.get("faultactor")), {lang: reason} if reason else {}, parts.get("detail")


def _fault_12(fault: Any) -> tuple[list[str], str, dict[str, str], Any]:
    space = f"{{{namespace(fault.tag)}}}"
    codes: list[str] = []
    code = fault.find(f"{space}Code")
    while code is not None and len(codes) < 10:
        codes.append(_code(code.findtext(f"{space}Value")))
        code = code.find(f"{space}Subcode")
    texts = fault.iterfind(f"{space}Reason/{space}Text")
    reasons = {node.get(f"{{{XML}}}lang", "und"): _text(node) for node in texts}
    actor = fault.findtext(f"{space}Role") or fault.findtext(f"{space}Node") or ""
    return [code for code in codes if code], actor.strip(), reasons, fault.find(f"{space}Detail")


def _text(node: Any) -> str:
    return (node.text or "").strip() if node is not None else ""
