"""WS-Addressing on a request, and whether an answer belongs to it (W3C WS-Addressing 1.0 Core and SOAP Binding; the submission of
2004 differs in its namespace and in the address that stands for "on the same connection").

The envelope gains header blocks and is otherwise left alone. An answer that names no message is taken for the answer to the
request it came for; one that names another message is never taken for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from lxml import etree

from gateway.protocols.soap import answers
from gateway.protocols.soap.features import SUBMISSION, WSA
from gateway.protocols.soap.model import local
from gateway.protocols.soap.wildcards import escape

SPACES: Final = (WSA, SUBMISSION)
_ANONYMOUS: Final = {WSA: f"{WSA}/anonymous", SUBMISSION: f"{SUBMISSION}/role/anonymous"}
_UNSPECIFIED: Final = frozenset({f"{WSA}/unspecified", f"{SUBMISSION}/id/unspecified"})
_RELATES_TO: Final = frozenset(f"{{{space}}}RelatesTo" for space in SPACES)
_PIECE: Final = 4_096


@dataclass(frozen=True, slots=True)
class Addressing:
    """The addressing of one operation's messages.

    :param space: the namespace of the version that is spoken.
    :param action: what the request asks for, an IRI.
    :param to: the address of the service.
    :param answered: whether an answer is expected, on the same connection.
    """

    space: str
    action: str
    to: str
    answered: bool = True

    def dress(self, envelope: bytes, message: str) -> bytes:
        """A rendered envelope with its addressing headers; ``message`` is the request's own id, an IRI."""
        blocks = [self._block("Action", escape(self.action)), self._block("To", escape(self.to))]
        blocks.append(self._block("MessageID", escape(message)))
        if self.answered:
            blocks.append(self._block("ReplyTo", f"<wsa:Address>{_ANONYMOUS[self.space]}</wsa:Address>"))
        return with_blocks(envelope, "".join(blocks).encode())

    def _block(self, name: str, content: str) -> str:
        return f'<wsa:{name} xmlns:wsa="{self.space}">{content}</wsa:{name}>'

    def owns(self, envelope: bytes, message: str) -> bool:
        """Whether an answer, or a fault, may belong to that message: it says so, or it names none. Raises ``BadAnswer`` for what
        cannot be XML."""
        data = answers.utf8(envelope)
        related = list(_related(data)) if b"RelatesTo" in data else []
        return not related or message in related or not _UNSPECIFIED.isdisjoint(related)


def message_id(operation: str) -> str:
    """An id of 32 hexadecimal digits as an IRI: a UUID URN (RFC 9562 section 4)."""
    return f"urn:uuid:{operation[:8]}-{operation[8:12]}-{operation[12:16]}-{operation[16:20]}-{operation[20:]}"


def with_blocks(envelope: bytes, blocks: bytes) -> bytes:
    """An envelope the codec rendered, with further header blocks before those it has. Its start tag ends at the first ``>``, for
    attributes are rendered without any."""
    start, end = b"<soapenv:Header>", b"</soapenv:Header>"
    place = envelope.index(b">", envelope.index(b"<soapenv:Envelope")) + 1
    if envelope.startswith(start, place):
        return envelope[: place + len(start)] + blocks + envelope[place + len(start) :]
    return envelope[:place] + start + blocks + end + envelope[place:]


def _related(data: bytes) -> Iterator[str]:
    """The messages an envelope's header says it answers. Nothing behind the header is read; what is not well-formed is not
    judged here."""
    parser = etree.XMLPullParser(("start", "end"), encoding="utf-8", resolve_entities=False, no_network=True, huge_tree=True)
    depth = 0
    try:
        for position in range(0, len(data), _PIECE):
            parser.feed(data[position : position + _PIECE])
            node: Any
            for event, node in parser.read_events():
                depth += 1 if event == "start" else -1
                if depth == 2 and event == "start" and local(node.tag) == "Body":
                    return
                if depth == 2 and event == "end" and _is_reply(node):
                    yield (node.text or "").strip()
    except etree.XMLSyntaxError:
        return


def _is_reply(node: Any) -> bool:
    """Whether it names the message that is answered: an IRI in 1.0, a QName in the submission, and when nothing is said."""
    kind = node.get("RelationshipType", "reply").replace(":", "/").rpartition("/")[2]
    return node.tag in _RELATES_TO and kind.lower() == "reply"
