from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.upstreams.headers import DEFAULT_FORWARD, HOP_BY_HOP, Remembered, answerable, forwardable, nominated, protected

NEVER = [
    b"connection",
    b"keep-alive",
    b"proxy-authorization",
    b"te",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
    b"host",
    b"content-length",
    b"expect",
    b"authorization",
    b"cookie",
    b"x-api-key",
    b"forwarded",
    b"via",
    b"x-forwarded-for",
    b"x_forwarded_for",
    b"x-forwarded-user",
    b"x-real-ip",
    b"x-user",
    b"x-user-id",
    b"x-remote-user",
    b"remote-user",
    b"remote_user",
    b"x-authenticated-user",
    b"x-ssl-client-dn",
    b"ssl_client_s_dn",
    b"sm-user",
    b"x-ms-client-principal-name",
    b"x-original-url",
    b"x-rewrite-url",
    b"x-http-method-override",
]


@pytest.mark.parametrize("name", NEVER)
def test_some_names_never_pass(name):
    assert forwardable([(name, b"1"), (b"accept", b"*/*")], frozenset({name, b"accept"})) == [(b"accept", b"*/*")]


def test_only_allowed_names_pass_in_order():
    headers = [(b"accept", b"a"), (b"x-own", b"1"), (b"user-agent", b"curl"), (b"accept", b"b"), (b"content-type", b"c")]
    assert forwardable(headers) == [(b"accept", b"a"), (b"accept", b"b"), (b"content-type", b"c")]
    assert forwardable(headers, frozenset({b"x-own"})) == [(b"x-own", b"1")]
    assert forwardable(headers, frozenset()) == []


def test_names_nominated_by_connection_stay_behind():
    headers = [
        (b"accept", b"a"),
        (b"connection", b"close, Prefer"),
        (b"prefer", b"x"),
        (b"connection", b"\tRange "),
        (b"range", b"y"),
    ]
    assert nominated(headers) == {b"close", b"prefer", b"range"}
    assert forwardable(headers) == [(b"accept", b"a")]
    assert nominated([(b"accept", b"a")]) == frozenset()


def test_the_default_holds_nothing_protected():
    assert not [name for name in DEFAULT_FORWARD if protected(name)]


def test_answers_lose_what_is_internal():
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"2"),
        (b"connection", b"x-trace"),
        (b"x-trace", b"1"),
        (b"server", b"SAP NetWeaver"),
        (b"x-powered-by", b"PHP"),
        (b"x-aspnet-version", b"4"),
        (b"set-cookie", b"sap-contextid=1"),
        (b"sap-server", b"true"),
        (b"www-authenticate", b"Basic realm=erp"),
        (b"access-control-allow-origin", b"*"),
        (b"strict-transport-security", b"max-age=1"),
        (b"via", b"1.1 erp-proxy.internal"),
        (b"x-backend-server", b"erp01"),
        (b"etag", b'"1"'),
        (b"x-total-count", b"7"),
    ]
    assert answerable(headers) == [(b"content-type", b"application/json"), (b"etag", b'"1"'), (b"x-total-count", b"7")]


def test_answers_leave_to_the_gateway_what_it_says_itself():
    for name in (b"date", b"ratelimit", b"ratelimit-policy", b"traceparent", b"tracestate", b"x-request-id"):
        assert answerable([(name, b"theirs"), (b"etag", b"1")]) == [(b"etag", b"1")]


@pytest.mark.parametrize("name", [b"location", b"content-location", b"link", b"refresh"])
def test_answers_name_no_host(name):
    assert answerable([(name, b"http://erp01.internal:8000/items/1")]) == []
    assert answerable([(name, b"//erp01.internal/items/1")]) == []
    assert answerable([(name, b"/items/1")]) == [(name, b"/items/1")]


names = st.sampled_from([*NEVER, *HOP_BY_HOP, *DEFAULT_FORWARD, b"x-own", b"etag"])
lists = st.lists(
    st.tuples(names, st.sampled_from([b"close", b"keep-alive", b"Keep-Alive", b"etag", b"x-own, accept", b"1", b""])), max_size=12
)


@given(lists, st.frozensets(names))
def test_passing_is_a_subset_and_repeatable(headers, allow):
    passed = forwardable(headers, allow)
    gone = nominated(headers)
    assert passed == [header for header in headers if header[0] in allow and not protected(header[0]) and header[0] not in gone]
    assert forwardable(passed, allow) == passed


@given(lists)
def test_nominated_names_are_those_of_all_connection_fields(headers):
    said = [token.strip().lower() for name, value in headers if name == b"connection" for token in value.split(b",")]
    assert nominated(headers) == set(said)


def test_only_so_many_names_are_remembered_and_none_that_is_long():
    judged = []
    lengths = Remembered(lambda name: judged.append(name) or len(name))
    assert [lengths[b"etag"], lengths[b"etag"], lengths[b"x" * 65], lengths[b"x" * 65]] == [4, 4, 65, 65]
    assert judged == [b"etag", b"x" * 65, b"x" * 65]
    for number in range(5000):
        assert lengths[b"%05d" % number] == 5
        assert len(lengths) <= 1024


@given(lists)
def test_answers_keep_no_hop(headers):
    passed = answerable(headers)
    assert not {name for name, _ in passed} & (HOP_BY_HOP | nominated(headers))
    assert answerable(passed) == passed
