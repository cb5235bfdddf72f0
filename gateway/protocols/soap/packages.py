"""Envelopes with their binary parts beside them: MTOM (W3C SOAP Message Transmission Optimization Mechanism, XOP 1.0, and the
SOAP 1.1 binding for MTOM 1.0), and SOAP with Attachments (W3C Note, WS-I Attachments Profile 1.0).

Outwards, what the contract calls base64Binary leaves the finished envelope for a part of its own; inwards every part comes back
as base64 where something refers to it, so that codec and signatures know only whole envelopes. No answer unfolds into much more
than it was: a part that many places refer to is no way to fill the memory.
"""

from __future__ import annotations

import binascii
import hashlib
import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, Final
from urllib.parse import unquote

from lxml import etree

from gateway.errors import BadAnswer
from gateway.protocols.soap import answers
from gateway.protocols.soap.binaries import Binaries
from gateway.protocols.soap.codec import Codec
from gateway.protocols.soap.model import Contract, Message
from gateway.protocols.soap.multipart import Part, media_type, read_package
from gateway.protocols.soap.nodes import NIL

XOP: Final = "http://www.w3.org/2004/08/xop/include"
_INCLUDE: Final = f"{{{XOP}}}Include"
_XOP_TYPE: Final = "application/xop+xml"
_XML_TYPES: Final = ("text/xml", "application/soap+xml", "application/xml")
SMALLEST: Final = 768
"""Bytes from which a value becomes a part of its own, as in .NET's MTOM writer; below, a part's header costs more than base64."""
_MOST_GROWTH: Final = 2
"""How much larger than the multipart its envelope may become; base64 alone makes it 4/3."""

Attachment = dict[str, str]


class Packages:
    """Packs the requests and unpacks the answers of one operation. Pure; what it needs of the contract is looked up at first use.

    :param mtom: whether requests are sent as MTOM.
    :ivar attachments: whether parts nothing refers to belong to an answer.
    """

    def __init__(self, contract: Contract, codec: Codec, *, mtom: bool = False) -> None:
        operation = codec.operation
        self._mtom = mtom
        self._plain, _, self._action = codec.content_type.partition("; charset=utf-8")
        self._encoded = operation.output is not None and operation.output.encoded
        self.attachments = operation.output is not None and operation.output.attachments
        self._sent = Binaries(contract, _elements(operation.input))
        self._answered = Binaries(contract, [*_elements(operation.output), *operation.faults.values()])

    @cached_property
    def packs(self) -> bool:
        """Whether there can be anything to pack."""
        return self._mtom or self.refers

    @property
    def refers(self) -> bool:
        """Whether a request may name attachments in the place of values, which a signature over the values does not outlive."""
        return self._sent.refer

    def pack(self, envelope: bytes) -> tuple[bytes, bytes] | None:
        """The Content-Type and body of a request that has been rendered and signed; None when it travels as it is.

        The same envelope always gives the same bytes: boundary and content ids are made of its hash.
        """
        root = answers.tree_with_namespaces(envelope)
        name = hashlib.sha256(envelope).hexdigest()[:32]
        parts: list[tuple[str, bytes]] = []
        for node, reference in self._sent.find(root):
            wanted = node.get(NIL) not in ("true", "1") if reference else self._mtom
            content = _content(node.text or "", 0 if reference else SMALLEST) if wanted else None
            if content is not None:
                parts.append((f"{len(parts) + 1}.{name}@erp-gateway", content))
                _refer(node, parts[-1][0], reference)
        if not parts and not self._mtom:
            return None
        return self._written(etree.tostring(root, encoding="utf-8") if parts else envelope, parts, name)

    def _written(self, root: bytes, parts: list[tuple[str, bytes]], name: str) -> tuple[bytes, bytes]:
        boundary, start = f"={name}", f"0.{name}@erp-gateway"
        inner = f"{self._plain}{self._action}".replace("\\", "\\\\").replace('"', '\\"')
        kind, own = (_XOP_TYPE, f'; type="{inner}"') if self._mtom else (self._plain, self._action)
        said = f'; start-info="{inner}"{self._action}' if self._mtom else self._action
        head = f'multipart/related; type="{kind}"; boundary="{boundary}"; start="<{start}>"{said}'
        pieces = [_head(boundary, f"{kind}; charset=utf-8{own}", start, "binary"), root]
        for id, content in parts:
            pieces += [_head(boundary, "application/octet-stream", id, "binary"), content]
        pieces.append(f"\r\n--{boundary}--\r\n".encode("ascii"))
        return head.encode("ascii"), b"".join(pieces)[2:]

    def unpack(self, content_type: str, body: bytes) -> tuple[bytes, list[Attachment]]:
        """The envelope of a multipart/related answer, and its attachments: the parts nothing in it refers to.

        Raises ``BadAnswer``.
        """
        root, others = read_package(media_type(content_type), body)
        kind = root.type.name
        if kind != _XOP_TYPE and kind not in _XML_TYPES:
            raise BadAnswer("the first part of the answer's multipart is not SOAP")
        parts = _Parts(others, _MOST_GROWTH * len(body))
        envelope, plain = root.content, answers.utf8(root.content)
        if kind == _XOP_TYPE and b"Include" in plain:
            envelope = plain = _included(envelope, parts)
        if b"cid:" in plain:
            envelope = self._referred(envelope, parts)
        return envelope, parts.unused() if self.attachments else []

    def _referred(self, envelope: bytes, parts: _Parts) -> bytes:
        """The envelope with every attachment where ``href`` or the text of a binary element refers to it."""
        root = answers.tree_with_namespaces(envelope)
        found: list[Any] = [node for node, _ in self._answered.find(root)]
        if self._encoded:
            found += [node for node in root.iter("*") if node.get("href", "").startswith("cid:")]
        for node in dict.fromkeys(found):
            text = (node.text or "").strip()
            reference = text or node.get("href", "")
            if len(node) == 0 and reference.startswith("cid:"):
                node.attrib.pop("href", None)
                node.text = parts.take(reference)
        return etree.tostring(root, encoding="utf-8")


def with_attachments(value: object, found: list[Attachment]) -> object:
    """An answer's value with its attachments, as it has its headers: under a key of its own."""
    return {**value, "$attachments": found} if isinstance(value, dict) else {"$value": value, "$attachments": found}


class _Parts:
    """The parts beside the root, taken by who refers to them. ``room`` is how much may come of it."""

    def __init__(self, parts: Iterable[Part], room: int) -> None:
        self._parts = list(parts)
        self._by_id: Mapping[str, Part] = {part.id: part for part in self._parts if part.id}
        self._taken: set[str] = set()
        self._room = room

    def take(self, reference: str) -> str:
        """The base64 of the part a ``cid:`` URL names (RFC 2392: percent-encoded). Raises ``BadAnswer``."""
        id = reference.removeprefix("cid:")
        part = self._by_id.get(unquote(id)) or self._by_id.get(id)
        if not reference.startswith("cid:") or part is None:
            raise BadAnswer("the answer refers to a part that is not there")
        self._room -= len(part.content)
        if self._room < 0:
            raise BadAnswer("the answer unfolds into far more than was sent")
        self._taken.add(part.id)
        return _base64(part.content)

    def unused(self) -> list[Attachment]:
        left = [part for part in self._parts if part.id not in self._taken]
        return [{"id": part.id, "contentType": part.type.name, "content": _base64(part.content)} for part in left]


def _included(envelope: bytes, parts: _Parts) -> bytes:
    """The envelope with every ``xop:Include`` replaced by what it stands for (XOP 1.0 section 3.2): the only content of its
    parent."""
    root = answers.tree_with_namespaces(envelope)
    for include in list(root.iter(_INCLUDE)):
        parent = include.getparent()
        if parent is None or len(parent) != 1 or (parent.text or "").strip() or (include.tail or "").strip():
            raise BadAnswer("an xop:Include in the answer is not alone in its element")
        parent.remove(include)
        parent.text = parts.take(include.get("href", ""))
    return etree.tostring(root, encoding="utf-8")


def _refer(node: Any, id: str, reference: bool) -> None:
    """Leave a reference where the content was."""
    node.text = f"cid:{id}" if reference else None
    if not reference:
        etree.SubElement(node, _INCLUDE, {"href": f"cid:{id}"}, {"xop": XOP})


_CANONICAL: Final = re.compile(r"[A-Za-z0-9+/]*={0,2}").fullmatch


def _content(text: str, smallest: int) -> bytes | None:
    """What base64 text stands for, when it is large enough and in canonical form (XOP 1.0 section 3.1 admits no other)."""
    if len(text) < smallest * 4 // 3 or not _CANONICAL(text):
        return None
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error:
        return None


def _base64(content: bytes) -> str:
    return binascii.b2a_base64(content, newline=False).decode("ascii")


def _head(boundary: str, type: str, id: str, encoding: str) -> bytes:
    head = f"\r\n--{boundary}\r\nContent-Type: {type}\r\nContent-Transfer-Encoding: {encoding}\r\nContent-ID: <{id}>\r\n\r\n"
    return head.encode("ascii")


def _elements(message: Message | None) -> list[Any]:
    return [*message.body, *message.headers] if message is not None else []
