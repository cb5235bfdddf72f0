"""What a WSDL's WS-SecurityPolicy asks of callers, as far as it can be told by the names of its assertions.

WS-SecurityPolicy 1.1 to 1.3. This is for a warning, not for a decision: alternatives are not weighed, and where a policy is
attached is not looked at.
"""

from __future__ import annotations

from typing import Final

from lxml import etree

from gateway.protocols.soap.documents import parse

_SPACES: Final = frozenset(
    {
        "http://schemas.xmlsoap.org/ws/2005/07/securitypolicy",
        "http://docs.oasis-open.org/ws-sx/ws-securitypolicy/200512",
        "http://docs.oasis-open.org/ws-sx/ws-securitypolicy/200702",
        "http://docs.oasis-open.org/ws-sx/ws-securitypolicy/200802",
    }
)
_MARK: Final = b"securitypolicy"
_TRUE: Final = frozenset({"true", "1"})


def assertions(wsdl: bytes) -> frozenset[str]:
    """The names of assertions that are not marked optional, and of their attributes that are true. Raises ``ConfigError``."""
    if _MARK not in wsdl:
        return frozenset()
    names: set[str] = set()
    for node in parse(wsdl, "").iter(etree.Element):
        name = etree.QName(node)
        if name.namespace in _SPACES and not any(_optional(key, value) for key, value in node.attrib.items()):
            names.add(str(name.localname))
            names.update(str(key) for key, value in node.attrib.items() if str(value) in _TRUE)
    return frozenset(names)


def _optional(key: object, value: object) -> bool:
    return str(key).endswith("}Optional") and str(value) in _TRUE
