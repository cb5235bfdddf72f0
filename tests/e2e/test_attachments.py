"""Binary values and attachments over a real socket: MTOM both ways, loose attachments, one message id for one document."""

from __future__ import annotations

import base64
import os
import re
import threading
from collections.abc import Callable, Iterator
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from tests.support import GatewayProcess, copy_deployment, edit

WSDL = """\
<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:t="urn:t" xmlns:w="urn:w"
    xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:mime="http://schemas.xmlsoap.org/wsdl/mime/" targetNamespace="urn:w"
    xmlns:wsaw="http://www.w3.org/2006/05/addressing/wsdl">
  <types><xs:schema targetNamespace="urn:t" elementFormDefault="qualified">
    <xs:element name="Store"><xs:complexType><xs:sequence>
      <xs:element name="Name" type="xs:string"/><xs:element name="Content" type="xs:base64Binary"/>
    </xs:sequence></xs:complexType></xs:element>
    <xs:element name="Stored"><xs:complexType><xs:sequence>
      <xs:element name="Number" type="xs:string"/><xs:element name="Content" type="xs:base64Binary"/>
    </xs:sequence></xs:complexType></xs:element>
    <xs:element name="Fetch"><xs:complexType><xs:sequence><xs:element name="Number" type="xs:string"/></xs:sequence></xs:complexType></xs:element>
    <xs:element name="Fetched"><xs:complexType><xs:sequence><xs:element name="Name" type="xs:string"/></xs:sequence></xs:complexType></xs:element>
  </xs:schema></types>
  <message name="Store"><part name="p" element="t:Store"/></message>
  <message name="Stored"><part name="p" element="t:Stored"/></message>
  <message name="Fetch"><part name="p" element="t:Fetch"/></message>
  <message name="Fetched"><part name="p" element="t:Fetched"/><part name="scan" type="xs:base64Binary"/></message>
  <portType name="Archive">
    <operation name="Store"><input message="w:Store"/><output message="w:Stored"/></operation>
    <operation name="Fetch"><input message="w:Fetch"/><output message="w:Fetched"/></operation>
  </portType>
  <binding name="B" type="w:Archive"><wsaw:UsingAddressing/>
    <soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
    <operation name="Store"><soap:operation soapAction=""/>
      <input><soap:body use="literal"/></input><output><soap:body use="literal"/></output></operation>
    <operation name="Fetch"><soap:operation soapAction="urn:fetch"/>
      <input><soap:body use="literal"/></input>
      <output><mime:multipartRelated><mime:part><soap:body parts="p" use="literal"/></mime:part>
        <mime:part><mime:content part="scan" type="image/tiff"/></mime:part></mime:multipartRelated></output></operation>
  </binding>
  <service name="ArchiveService"><port name="Port" binding="w:B"><soap:address location="http://127.0.0.1/"/></port></service>
</definitions>
"""  # noqa: E501
ROUTES = """\
resource: archive
upstream: archive
operations:
  store: {post: /archive, call: Store, delivery: queued, reference: $.Number}
  now: {post: /archive-now, call: Store, reference: $.Number}
  get: {get: "/archive/{Number}", call: Fetch}
"""
WSA = "{http://www.w3.org/2005/08/addressing}"
SCAN = bytes(range(256)) * 20 + b"\r\n--x\r\n"
Answer = tuple[int, str, bytes]


class Archive:
    """A SOAP server that speaks MTOM. ``answer`` says what a request gets; ``requests`` are those that came."""

    def __init__(self) -> None:
        self.requests: list[tuple[Any, dict[str, str]]] = []
        self.answer: Callable[[Any, dict[str, str]], Answer] = self.stored
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                whole = message_from_bytes(f"Content-Type: {self.headers['content-type']}\r\n\r\n".encode() + body)
                said = headers_of(whole)
                outer.requests.append((whole, said))
                status, kind, data = outer.answer(whole, said)
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/soap"

    def stored(self, whole: Any, said: dict[str, str]) -> Answer:
        content = whole.get_payload()[1].get_payload(decode=True)
        include = '<x:Include xmlns:x="http://www.w3.org/2004/08/xop/include" href="cid:a%40b"/>'
        body = f'<t:Stored xmlns:t="urn:t"><t:Number>A-1</t:Number><t:Content>{include}</t:Content></t:Stored>'
        return multipart(envelope(body, said["MessageID"]), "application/xop+xml", content)


def headers_of(whole: Any) -> dict[str, str]:
    root = etree.fromstring(whole.get_payload()[0].get_payload(decode=True))
    return {node.tag.removeprefix(WSA): "".join(node.itertext()) for node in root[0]}


def envelope(body: str, related: str) -> str:
    head = f'<e:Header xmlns:a="{WSA[1:-1]}"><a:RelatesTo e:mustUnderstand="1">{related}</a:RelatesTo></e:Header>'
    return f'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/">{head}<e:Body>{body}</e:Body></e:Envelope>'


def multipart(root: str, kind: str, content: bytes) -> Answer:
    start = f"--b\r\nContent-Type: {kind}\r\n\r\n{root}\r\n--b\r\nContent-ID: <a@b>\r\nContent-Type: image/tiff\r\n\r\n"
    return 200, f'multipart/related; type="{kind}"; boundary=b', start.encode() + content + b"\r\n--b--\r\n"


@pytest.fixture(scope="module")
def archive() -> Iterator[Archive]:
    made = Archive()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@pytest.fixture(scope="module")
def gateway(archive: Archive, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    path = copy_deployment(tmp_path_factory.mktemp("attachments"))
    folder: Path = path.parent
    (folder / "contracts").mkdir()
    (folder / "contracts/archive.wsdl").write_text(WSDL)
    (folder / "routes/archive.yaml").write_text(ROUTES)
    writes = "writes: {not_booked: [503], retry: [100ms, 100ms]}"
    entry = f"  archive: {{wsdl: contracts/archive.wsdl, url: '{archive.url}', mtom: true, {writes}}}\n"
    edit(
        path,
        "upstreams: # the systems behind the gateway; the demo starts its own and says where it is\n",
        f"upstreams:\n{entry}",
    )
    rows = "".join(f"p, oa, demo, archive.{name}, allow\n" for name in ("store", "now", "get"))
    edit(folder / "policies/policy.csv", "demo\n# end", f"demo\n{rows}# end")
    process = GatewayProcess(path, os.environ.get("DEMO_ERP_URL", "http://127.0.0.1:1"))
    try:
        yield process.start()
    finally:
        process.stop()


def body() -> dict[str, str]:
    return {"Name": "scan.tif", "Content": base64.b64encode(SCAN).decode()}


def test_a_binary_value_travels_as_a_part_both_ways(gateway: GatewayProcess, archive: Archive) -> None:
    archive.requests.clear()
    archive.answer = archive.stored
    answer = gateway.call("oa", "POST", "/api/v1/archive-now", json=body())
    assert answer.status_code == 201, answer.text
    assert answer.json() == {"Number": "A-1", "Content": body()["Content"]}
    ((whole, said),) = archive.requests
    assert whole.get_param("type") == "application/xop+xml"
    assert whole.get_payload()[1].get_payload(decode=True) == SCAN
    assert (said["Action"], said["To"]) == ("urn:w:Archive:StoreRequest", archive.url)


def test_a_document_sent_again_is_the_same_message(gateway: GatewayProcess, archive: Archive) -> None:
    archive.requests.clear()
    refusals = iter([(503, "text/plain", b"closed")] * 2)
    archive.answer = lambda whole, said: next(refusals, None) or archive.stored(whole, said)
    taken = gateway.call("oa", "POST", "/api/v1/archive", json=body())
    assert taken.status_code == 202, taken.text
    gateway.wait_for("document.delivered", operation="archive.store")
    ids = [said["MessageID"] for _, said in archive.requests]
    assert len(ids) == 3
    assert set(ids) == {"urn:uuid:" + re.sub(r"(.{8})(.{4})(.{4})(.{4})", r"\1-\2-\3-\4-", taken.json()["id"])}


def test_an_answer_to_another_message_leaves_the_outcome_open(gateway: GatewayProcess, archive: Archive) -> None:
    archive.answer = lambda whole, said: archive.stored(whole, {"MessageID": "urn:uuid:other"})
    answer = gateway.call("oa", "POST", "/api/v1/archive-now", json=body())
    assert (answer.status_code, answer.json()["state"]) == (202, "unknown")
    assert "belongs to another message" in answer.json()["note"]["detail"]


def test_an_attachment_nobody_refers_to(gateway: GatewayProcess, archive: Archive) -> None:
    fetched = '<t:Fetched xmlns:t="urn:t"><t:Name>scan.tif</t:Name></t:Fetched>'
    archive.answer = lambda whole, said: multipart(envelope(fetched, said["MessageID"]), "text/xml", SCAN)
    answer = gateway.call("oa", "GET", "/api/v1/archive/A-1")
    assert answer.status_code == 200, answer.text
    attachment = {"id": "a@b", "contentType": "image/tiff", "content": body()["Content"]}
    assert answer.json() == {"Name": "scan.tif", "$attachments": [attachment]}
    described = gateway.call("oa", "GET", "/openapi/v1.json").json()
    assert "$attachments" in str(described)


def test_half_a_multipart_is_no_answer(gateway: GatewayProcess, archive: Archive) -> None:
    def cut(whole: Any, said: dict[str, str]) -> Answer:
        status, kind, data = archive.stored(whole, said)
        return status, kind, data[:-9]

    archive.answer = cut
    answer = gateway.call("oa", "POST", "/api/v1/archive-now", json=body())
    assert (answer.status_code, answer.json()["state"]) == (202, "unknown")
    assert "cut short" in answer.json()["note"]["detail"]
