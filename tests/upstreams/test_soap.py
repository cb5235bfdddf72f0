"""SOAP operations: errors in the satellite's terms, faults under the status of their route, nothing of the ERP."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.errors import (
    BadAnswer,
    FaultClient,
    FaultServer,
    FieldError,
    Problem,
    Refused,
    RefusedConflict,
    RefusedMissing,
    Unprocessable,
    UntrustedAnswer,
    UpstreamProblem,
)
from gateway.exchange import ABSENT, OPERATION_ID, Exchange, Headers, Outgoing, Request
from gateway.mapping.path import Path
from gateway.upstreams.soap import SoapOperation, request_headers
from gateway.upstreams.table import Table

XML: Headers = [(b"content-type", b"Text/XML; charset=utf-8")]


class FakeCodec:
    content_type = "text/xml; charset=utf-8"
    headers: Headers = [(b"soapaction", b'"x"')]  # noqa: RUF012

    def __init__(self, outcome: Any = None) -> None:
        self.outcome = outcome

    def encode(self, value: object) -> bytes:
        if isinstance(value, dict) and "BAD" in value:
            raise Unprocessable("No.", errors=[FieldError("/BAD", "is wrong")])
        return repr(value).encode()

    def decode(self, envelope: bytes) -> object:
        if not envelope and self.outcome is not None:
            raise BadAnswer("There is no answer.")
        if isinstance(self.outcome, Problem):
            raise self.outcome
        return self.outcome


class FakeIncoming:
    def __init__(self, status: int, headers: Headers, data: bytes) -> None:
        self.status, self.headers, self.data = status, headers, data

    async def read(self) -> bytes:
        return self.data


class FakeClient:
    def __init__(self, status: int = 200, headers: Headers = XML, data: bytes = b"<x/>") -> None:
        self.answer = FakeIncoming(status, headers, data)

    async def send(self, outgoing: Outgoing, *, timeout: float | None = None) -> Any:
        self.sent = outgoing
        return self.answer


class UpperCase:
    def __call__(self, value: Any) -> object:
        return {name.upper(): inner for name, inner in value.items()}

    def pointer(self, erp_pointer: str) -> str:
        return erp_pointer.lower()

    def schema(self) -> dict[str, Any]:
        return {"title": "mapped"}

    def whole(self) -> list[tuple[Path, Path]]:
        return []


class LowerCase:
    def __call__(self, value: Any) -> object:
        return {name.lower(): inner for name, inner in value.items()}

    def schema(self) -> dict[str, Any]:
        return {"title": "answered"}

    def whole(self) -> list[tuple[Path, Path]]:
        return []


def operation(client: Any = None, outcome: Any = None, table: Table | None = None, **settings: Any) -> SoapOperation:
    codec: Any = FakeCodec(outcome)
    return SoapOperation(codec, client or FakeClient(), "/soap", table or Table(), **settings)


def call(value: object) -> Exchange:
    nothing: Any = None
    return Exchange(Request("POST", "/", "", [], nothing), "req-1", "r.o", "v1", {}, trace=b"00-a-b-01", value=value)


def outgoing() -> Outgoing:
    return Outgoing("POST", "/", [])


def test_a_request() -> None:
    out = operation(headers=request_headers(FakeCodec(), [(b"authorization", b"Basic x")])).prepare(call({"a": 1}))  # type: ignore[arg-type]
    assert (out.method, out.target, out.body, out.safe) == ("POST", "/soap", b"{'a': 1}", False)
    assert out.headers == [
        (b"content-type", b"text/xml; charset=utf-8"),
        (b"accept", b"text/xml, application/soap+xml, multipart/related"),
        (b"soapaction", b'"x"'),
        (b"authorization", b"Basic x"),
        (b"x-request-id", b"req-1"),
        (b"traceparent", b"00-a-b-01"),
    ]


def test_a_mapped_and_a_coerced_request() -> None:
    assert operation(table=Table(UpperCase())).prepare(call({"a": 1})).body == b"{'A': 1}"
    assert operation(coerce=lambda value: [value]).prepare(call("7")).body == b"['7']"


@pytest.mark.parametrize(("table", "pointer"), [(Table(UpperCase()), "/bad"), (Table(), "/BAD")])
def test_a_contracts_error_is_told_in_the_satellites_terms(table: Table, pointer: str) -> None:
    with pytest.raises(Unprocessable) as caught:
        operation(table=table).prepare(call({"BAD": 1}))
    assert (caught.value.detail, caught.value.errors) == ("No.", (FieldError(pointer, "is wrong"),))


async def test_an_answer() -> None:
    reply = await operation(outcome={"A": 1}, status=201).send(outgoing())
    assert (reply.status, reply.value) == (201, {"A": 1})
    mapped = await operation(outcome={"A": 1}, table=Table(None, LowerCase())).send(outgoing())
    assert mapped.value == {"a": 1}


@pytest.mark.parametrize("status", [200, 202, 204])
async def test_the_empty_answer_of_a_one_way_operation(status: int) -> None:
    reply = await operation(FakeClient(status, [], b""), outcome=None).send(outgoing())
    assert (reply.status, reply.value, reply.body) == (202, ABSENT, b"")


async def test_a_one_way_operation_that_is_answered_all_the_same() -> None:
    reply = await operation(outcome={}, one_way=True).send(outgoing())
    assert (reply.status, reply.value, reply.body) == (202, ABSENT, b"")


@pytest.mark.parametrize("kind", [b"text/xml", b"application/soap+xml; action=x", b"application/xml"])
async def test_media_types_of_soap(kind: bytes) -> None:
    assert (await operation(FakeClient(200, [(b"x", b"y"), (b"content-type", kind)]), {}).send(outgoing())).value == {}


def fault(name: str) -> Refused:
    return Refused("It is gone.", extensions={"fault": {"code": "soap:Server", "detail": {name: {"id": "7"}}}})


@pytest.mark.parametrize(
    ("name", "faults", "kind", "status"),
    [
        ("NotFound", {"NotFound": 404}, RefusedMissing, 404),
        ("NotFound", {"NotFound": 409}, RefusedConflict, 409),
        ("Other", {"NotFound": 404}, Refused, 422),
        ("NotFound", None, Refused, 422),
    ],
)
async def test_a_declared_fault(name: str, faults: Any, kind: type[Problem], status: int) -> None:
    for http in (200, 400, 500):
        with pytest.raises(kind) as caught:
            await operation(FakeClient(http), fault(name), faults=faults).send(outgoing())
        assert (caught.value.status, caught.value.detail) == (status, "It is gone.")
        assert caught.value.extensions == fault(name).extensions


@pytest.mark.parametrize("extensions", [{}, {"fault": "x"}, {"fault": {"detail": "x"}}, {"fault": {"detail": None}}])
async def test_a_fault_without_detail_is_422(extensions: Any) -> None:
    with pytest.raises(Refused) as caught:
        await operation(FakeClient(500), Refused("No.", extensions=extensions), faults={"NotFound": 404}).send(outgoing())
    assert caught.value.status == 422


@pytest.mark.parametrize("problem", [FaultClient("a"), FaultServer("b"), BadAnswer("c")])
async def test_other_outcomes_of_decoding_stay_what_they_are(problem: Problem) -> None:
    with pytest.raises(type(problem)) as caught:
        await operation(FakeClient(500), problem).send(outgoing())
    assert caught.value is problem


HTML: Headers = [(b"content-type", b"text/html")]


@pytest.mark.parametrize(
    ("status", "headers", "data", "kind", "retryable"),
    [
        (502, HTML, b"<html>10.0.0.7</html>", FaultServer, True),
        (200, HTML, b"<html>10.0.0.7</html>", BadAnswer, False),
        (302, [], b"10.0.0.7", BadAnswer, False),
        (200, XML, b"", BadAnswer, False),
        (500, XML, b"", FaultServer, True),
        (500, XML, b"<ok/>", BadAnswer, False),
        (401, HTML, b"10.0.0.7", FaultServer, True),
        (403, XML, b"<x>10.0.0.7</x>", FaultServer, True),
        (429, HTML, b"10.0.0.7", FaultServer, True),
    ],
)
async def test_what_is_no_answer(status: int, headers: Headers, data: bytes, kind: type[Problem], retryable: bool) -> None:
    with pytest.raises(kind) as caught:
        await operation(FakeClient(status, headers, data), {}).send(outgoing())
    assert (caught.value.status, caught.value.retryable) == (502, retryable)
    assert "10.0.0.7" not in str(caught.value.document())


def test_schemas_are_the_tables_or_the_contracts() -> None:
    contract = Table(None, None, lambda: {"title": "in"}, lambda: {"title": "out"})
    assert (operation(table=contract).request_schema(), operation(table=contract).answer_schema()) == (
        {"title": "in"},
        {"title": "out"},
    )
    mapped = Table(UpperCase(), LowerCase())
    assert operation(table=mapped).request_schema() == {"title": "mapped"}
    assert operation(table=mapped).answer_schema() == {"title": "answered"}


class FakeAddressing:
    def dress(self, envelope: bytes, message: str) -> bytes:
        return envelope + b" as " + message.encode()

    def owns(self, envelope: bytes, message: str) -> bool:
        return b"another" not in envelope


class FakePacking:
    def __init__(self, *, packs: bool = True, attachments: bool = False) -> None:
        self.packs, self.attachments = packs, attachments

    def pack(self, envelope: bytes) -> tuple[bytes, bytes] | None:
        return None if b"small" in envelope else (b"multipart/related; x=1", b"[" + envelope + b"]")

    def unpack(self, content_type: str, body: bytes) -> tuple[bytes, list[dict[str, str]]]:
        if content_type != "Multipart/Related; boundary=b":
            raise BadAnswer("No boundary.")
        return body, [{"id": "1", "contentType": "a/b", "content": ""}]


DOCUMENT = "019a0e7c5b00712389abcdef01234567"


async def sent(body: bytes = b"<e/>", headers: Headers | None = None, **settings: Any) -> Outgoing:
    client = FakeClient()
    prepared = Outgoing("POST", "/", [(b"content-type", b"text/xml"), (b"a", b"b"), *(headers or [])], body)
    await operation(client, {}, new_id=lambda: 32 * "f", **settings).send(prepared)
    assert (prepared.body, prepared.headers[0]) == (body, (b"content-type", b"text/xml"))
    return client.sent


async def test_a_message_has_the_documents_id_at_every_attempt_and_else_its_own() -> None:
    known = "urn:uuid:019a0e7c-5b00-7123-89ab-cdef01234567"
    for _ in range(2):
        out = await sent(headers=[(OPERATION_ID, DOCUMENT.encode())], addressing=FakeAddressing())
        assert out.body == f"<e/> as {known}".encode()
    fresh = b"<e/> as urn:uuid:ffffffff-ffff-ffff-ffff-ffffffffffff"
    assert (await sent(addressing=FakeAddressing())).body == fresh
    assert (await sent(headers=[(OPERATION_ID, b"theirs")], addressing=FakeAddressing())).body == fresh


async def test_what_is_packed_is_what_was_addressed() -> None:
    out = await sent(addressing=FakeAddressing(), packing=FakePacking())
    assert out.body == b"[<e/> as urn:uuid:ffffffff-ffff-ffff-ffff-ffffffffffff]"
    assert out.headers == [(b"content-type", b"multipart/related; x=1"), (b"a", b"b")]


async def test_what_needs_no_packing_travels_as_it_is() -> None:
    for out in (await sent(b"small", packing=FakePacking()), await sent(packing=FakePacking(packs=False))):
        assert out.headers == [(b"content-type", b"text/xml"), (b"a", b"b")]
    assert (await sent()).body == b"<e/>"


MANY: Headers = [(b"content-type", b"Multipart/Related; boundary=b")]


async def test_a_multipart_answer() -> None:
    client = FakeClient(headers=MANY)
    assert (await operation(client, {"A": 1}, packing=FakePacking()).send(outgoing())).value == {"A": 1}
    given = await operation(client, {"A": 1}, packing=FakePacking(attachments=True)).send(outgoing())
    assert given.value == {"A": 1, "$attachments": [{"id": "1", "contentType": "a/b", "content": ""}]}
    plain = await operation(FakeClient(), "x", packing=FakePacking(attachments=True)).send(outgoing())
    assert plain.value == {"$value": "x", "$attachments": []}


async def test_a_multipart_answer_that_cannot_be_read_leaves_the_outcome_open() -> None:
    with pytest.raises(BadAnswer) as caught:
        await operation(FakeClient(headers=[(b"content-type", b"multipart/related")]), {}, packing=FakePacking()).send(outgoing())
    assert (caught.value.sent, caught.value.answered) == (True, 200)


@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize("outcome", [{"A": 1}, Refused("No.")])
async def test_an_answer_to_another_message_says_nothing_about_this_one(status: int, outcome: Any) -> None:
    """Not even its status does: a refusal of another message would have a write taken for refused."""
    with pytest.raises(BadAnswer, match="belongs to another message") as caught:
        await operation(FakeClient(status, data=b"another"), outcome, addressing=FakeAddressing()).send(outgoing())
    assert (caught.value.sent, caught.value.answered) == (True, None)


class FakeSecurity:
    verifies = True

    def __init__(self, trusted: bool = True) -> None:
        self.trusted = trusted

    def outward(self, envelope: bytes) -> bytes:
        return b"<signed>%b</signed>" % envelope

    def inward(self, envelope: bytes, *, beside: bool) -> bytes:
        if not self.trusted or beside:
            raise UntrustedAnswer("No.")
        return b"<verified/>"


class Reading(FakeCodec):
    """Answers with the envelope it was given."""

    def decode(self, envelope: bytes) -> object:
        return envelope.decode()


async def test_security_is_put_on_while_sending_and_kept_nowhere() -> None:
    client = FakeClient()
    call_ = SoapOperation(Reading(), client, "/soap", Table(), security=FakeSecurity())  # type: ignore[arg-type]
    out = call_.prepare(call({"a": 1}))
    assert out.body == b"{'a': 1}"
    assert (await call_.send(out)).value == "<verified/>"
    assert client.sent.body == b"<signed>{'a': 1}</signed>"
    assert out.body == b"{'a': 1}"


async def test_what_is_signed_is_what_was_addressed_and_what_is_packed_is_what_was_signed() -> None:
    out = await sent(addressing=FakeAddressing(), security=FakeSecurity(), packing=FakePacking())
    assert out.body == b"[<signed><e/> as urn:uuid:ffffffff-ffff-ffff-ffff-ffffffffffff</signed>]"


@pytest.mark.parametrize(("came", "verified"), [(b"another", b"<verified/>"), (b"<e/>", b"another")])
async def test_an_answer_names_no_other_message_signed_or_not(came: bytes, verified: bytes) -> None:
    security = FakeSecurity()
    security.inward = lambda envelope, *, beside: verified  # type: ignore[method-assign]
    with pytest.raises(BadAnswer, match="belongs to another message"):
        await operation(FakeClient(data=came), {}, security=security, addressing=FakeAddressing()).send(
            Outgoing("POST", "/", [], b"x")
        )


@pytest.mark.parametrize("status", [401, 404, 429, 503])
async def test_nothing_follows_from_an_answer_that_cannot_be_signed(status: int) -> None:
    """A write must not be sent again, nor be taken for refused, on the word of whoever stands between."""
    client = FakeClient(status, [(b"content-type", b"text/html")], b"<html/>")
    with pytest.raises(UntrustedAnswer) as caught:
        await operation(client, {}, security=FakeSecurity()).send(Outgoing("POST", "/", [], b"x"))
    assert (caught.value.sent, caught.value.answered) == (True, None)
    security = FakeSecurity()
    security.verifies = False
    with pytest.raises(UpstreamProblem) as told:
        await operation(client, {}, security=security).send(Outgoing("POST", "/", [], b"x"))
    assert told.value.answered == status


async def test_attachments_are_told_to_who_verifies() -> None:
    with pytest.raises(UntrustedAnswer):
        await operation(FakeClient(headers=MANY), {}, security=FakeSecurity(), packing=FakePacking()).send(
            Outgoing("POST", "/", [], b"x")
        )


@pytest.mark.parametrize("status", [200, 400, 500])
async def test_nothing_follows_from_the_status_of_an_answer_that_is_not_trusted(status: int) -> None:
    with pytest.raises(UntrustedAnswer) as caught:
        await operation(FakeClient(status), {}, security=FakeSecurity(trusted=False)).send(Outgoing("POST", "/", [], b"x"))
    assert caught.value.answered is None
    assert caught.value.sent


def test_headers_are_not_shown() -> None:
    assert "c2VjcmV0" not in repr(operation(headers=((b"authorization", b"Basic c2VjcmV0"),)))
