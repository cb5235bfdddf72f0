"""A request's envelope: from bytes to the one element in its body, with what its header says.

SOAP 1.1 section 4, SOAP 1.2 part 1 section 5, held to the WS-I Basic Profile where they leave room: no document type, no
processing instruction, one body with one element, nothing behind it. Header blocks are understood or, if they must be, refused.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from lxml import etree

from gateway.errors import BadAnswer, BadRequest, Unauthenticated
from gateway.protocols.facade.faults import WSSE, coded
from gateway.protocols.facade.security import UsernameToken, username_token
from gateway.protocols.soap import answers
from gateway.protocols.soap.model import ENVELOPES, local, namespace
from gateway.protocols.soap.wildcards import escape

Version = Literal["1.1", "1.2"]

ADDRESSING: Final = ("http://www.w3.org/2005/08/addressing", "http://schemas.xmlsoap.org/ws/2004/08/addressing")
_VERSIONS: Final[dict[str, Version]] = {ENVELOPES["1.1"]: "1.1", ENVELOPES["1.2"]: "1.2"}
_HERE: Final = {
    "1.1": {None, "", "http://schemas.xmlsoap.org/soap/actor/next"},
    "1.2": {
        None,
        "",
        "http://www.w3.org/2003/05/soap-envelope/role/next",
        "http://www.w3.org/2003/05/soap-envelope/role/ultimateReceiver",
    },
}
_CHARSET = re.compile(r"""charset\s*=\s*"?([A-Za-z0-9._:-]+)""", re.I)
_DECLARATION = re.compile(r"^\s*<\?xml\s[^>]*\?>")
MAX_DEPTH: Final = 256
"""libxml2's own bound."""


@dataclass(frozen=True, slots=True)
class Addressing:
    """What WS-Addressing says of a message; ``space`` is the version of its namespace."""

    space: str
    message_id: str = ""
    action: str = ""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message read. ``content`` is the element in its body."""

    version: Version
    content: Any
    token: UsernameToken | None = None
    addressing: Addressing | None = field(default=None)


def open_envelope(data: bytes, content_type: str, now: float) -> Envelope:
    """Read an envelope. ``now`` is Unix time, for WS-Security's timestamps. Raises ``BadRequest`` or ``Unauthenticated``."""
    root = _tree(_in_utf8(data, content_type))
    space = namespace(str(root.tag))
    version = _VERSIONS.get(space)
    if local(str(root.tag)) != "Envelope":
        raise BadRequest("The body is no SOAP envelope.")
    if version is None:
        raise coded(BadRequest, "VersionMismatch", "The envelope is neither of SOAP 1.1 nor of SOAP 1.2.")
    header, body = _parts(root, space)
    token, addressing = _headers(header, version, now) if header is not None else (None, None)
    children = list(body)
    if len(children) != 1:
        what = "is empty" if not children else "holds more than one element"
        raise BadRequest(f"The envelope's body {what}; it must hold the one element of the operation.")
    return Envelope(version, children[0], token, addressing)


def _in_utf8(data: bytes, content_type: str) -> bytes:
    """The document in UTF-8. The charset of the media type counts more than the XML declaration (RFC 7303 section 3.2)."""
    found = _CHARSET.search(content_type)
    charset = found[1].lower() if found else "utf-8"
    marked = data.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_BE, codecs.BOM_UTF16_LE))
    try:
        if charset not in ("utf-8", "utf8", "us-ascii") and not marked:
            data = answers.read_as(data, charset)
            data = _DECLARATION.sub("", data.decode()).encode()
        return answers.utf8(data)
    except BadAnswer as error:
        raise BadRequest(error.detail.replace("the answer", "The envelope", 1) + ".") from error


def _tree(data: bytes) -> Any:
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, strip_cdata=True, encoding="utf-8"
    )
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise BadRequest("The envelope is not well-formed XML, or is nested too deep.") from error
    around = (*root.itersiblings(preceding=True), *root.itersiblings())
    if around or next(root.iter(etree.PI, etree.Entity), None) is not None:
        raise BadRequest("The envelope holds a processing instruction, which SOAP forbids.")
    return root


def _parts(root: Any, space: str) -> tuple[Any, Any]:
    """Header (or None) and body. Nothing may stand between or behind them."""
    children = list(root)
    header = children.pop(0) if children and children[0].tag == f"{{{space}}}Header" else None
    if len(children) != 1 or children[0].tag != f"{{{space}}}Body":
        raise BadRequest("The envelope must hold at most one header, then one body, and nothing else.")
    return header, children[0]


def _headers(header: Any, version: Version, now: float) -> tuple[UsernameToken | None, Addressing | None]:
    security: list[Any] = []
    addressing: list[Any] = []
    for block in header:
        if not _is_ours(block, version):
            continue
        if block.tag == f"{{{WSSE}}}Security":
            security.append(block)
        elif namespace(str(block.tag)) in ADDRESSING:
            addressing.append(block)
        elif (block.get(f"{{{ENVELOPES[version]}}}mustUnderstand") or "").strip() in ("1", "true"):
            raise coded(BadRequest, "MustUnderstand", f"The header {_shown(block.tag)} must be understood and is not.")
    if len(security) > 1:
        raise coded(Unauthenticated, "InvalidSecurity", "The envelope has more than one Security header.")
    return username_token(security[0], now) if security else None, _addressing(addressing)


def _is_ours(block: Any, version: Version) -> bool:
    """Whether a header block is meant for this receiver (SOAP 1.1 section 4.2.2, SOAP 1.2 part 1 section 2.2)."""
    name = "actor" if version == "1.1" else "role"
    said: str | None = block.get(f"{{{ENVELOPES[version]}}}{name}")
    return said in _HERE[version]


def _shown(tag: str) -> str:
    return tag if len(tag) <= 200 and tag.isprintable() else local(tag)[:100]


def _addressing(blocks: list[Any]) -> Addressing | None:
    """Raises ``BadRequest`` for an answer that is to go elsewhere, and for a property given twice."""
    if not blocks:
        return None
    space = namespace(str(blocks[0].tag))
    found: dict[str, str] = {}
    for block in blocks:
        name = local(str(block.tag))
        if name in found:
            raise coded(BadRequest, "InvalidAddressingHeader", f"WS-Addressing's {name} is given twice.")
        if name in ("ReplyTo", "FaultTo"):
            address = (block.findtext(f"{{{namespace(str(block.tag))}}}Address") or "").strip()
            if not address.endswith("/anonymous"):
                raise coded(
                    BadRequest, "OnlyAnonymousAddressSupported", f"{name} names an address; answers go to the caller only."
                )
        found[name] = (block.text or "").strip()
    return Addressing(space, found.get("MessageID", ""), found.get("Action", ""))


def response_header(addressing: Addressing | None, space: str, name: str) -> str:
    """What the header of a response says to a caller that uses WS-Addressing: which message it belongs to."""
    if addressing is None or not addressing.message_id:
        return ""
    related = escape(addressing.message_id)
    return (
        f'<wsa:Action xmlns:wsa="{addressing.space}">{space}:{name}</wsa:Action>'
        f'<wsa:RelatesTo xmlns:wsa="{addressing.space}">{related}</wsa:RelatesTo>'
    )
