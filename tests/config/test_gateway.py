"""``gateway.yaml``: sane defaults, and errors with a line for what would not work."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.gateway import Gateway
from gateway.config.source import parse_source, validate
from gateway.errors import ConfigError

UPSTREAMS = "upstreams: {erp: {url: http://erp}}\n"


def read(text: str) -> Gateway:
    return validate(parse_source(text.encode(), name="gateway.yaml", folder=Path()), Gateway)


def test_upstreams_alone_are_a_deployment() -> None:
    gateway = read(UPSTREAMS)
    assert str(gateway.edge.listen) == "127.0.0.1:8080"
    assert gateway.edge.docs == "token"
    assert gateway.edge.limits.body == 1024 * 1024
    assert gateway.edge.limits.json_depth == 64
    assert not gateway.demo
    assert gateway.counters.url == "memory:"
    assert gateway.upstreams["erp"].timeout == 15


def test_how_much_of_ordinary_calls_is_noted_may_be_nothing() -> None:
    assert (read(UPSTREAMS).decisions.sample, read(UPSTREAMS).decisions.repeats) == (3600, 60)
    assert read(UPSTREAMS + "decisions: {sample: off}\n").decisions.sample == 0
    assert read(UPSTREAMS + "decisions: {sample: 10m, repeats: 5s}\n").decisions.repeats == 5
    for wrong in ("sample: never", "sample: false", "repeats: off", "repeats: 0s", "repeats: 2d"):
        with pytest.raises(ConfigError, match=r"gateway\.yaml:2"):
            read(UPSTREAMS + f"decisions: {{{wrong}}}\n")


def test_a_full_deployment() -> None:
    gateway = read(
        "demo: true\nedge: {listen: '127.0.0.1:1', processes: 2, public_url: 'https://api.example.com', limits: {body: 2MiB}}\n"
        "counters: {url: 'redis://h'}\nledger: {url: 'postgresql://u@h/d'}\n"
        "upstreams:\n  erp: {wsdl: a.wsdl, headers: {Authorization: Basic eA==}, forward: [X-Trace]}\n"
    )
    assert gateway.edge.limits.body == 2 * 1024 * 1024
    assert gateway.upstreams["erp"].headers["Authorization"].get_secret_value() == "Basic eA=="


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("upstreams: {}", "gateway.yaml:1: 'upstreams' is a table; "
         "dictionary should have at least 1 item after validation, not 0"),
        ("upstreams:\n  a: {}", "gateway.yaml:2: 'a' names neither a wsdl nor a url; "
         "add 'url:' for a REST upstream or 'wsdl:' for a SOAP one"),
        ("upstreams: {a: {url: 'ftp://x'}}", "gateway.yaml:1: 'url' is 'ftp://x'; write an absolute http:// or https:// URL"),
        ("upstreams: {a: {url: 'http://['}}", "gateway.yaml:1: 'url' is 'http://['; write an absolute http:// or https:// URL"),
        ("upstreams: {a: {url: 'http://h:99999'}}", "gateway.yaml:1: 'url' is 'http://h:99999'; "
         "write an absolute http:// or https:// URL"),
        ("upstreams: {a: {url: 'https://u:pass@h/x'}}", "gateway.yaml:1: 'url' is 'https://…@h/x', which holds a user name; "
         "put it under 'credentials:'"),
        ("upstreams: {a: {url: http://h, headers: {Host: x}}}", "gateway.yaml:1: the name 'Host' cannot be used; remove it"),
        ("upstreams: {a: {url: http://h, headers: {'a b': x}}}", "gateway.yaml:1: the name 'a b' cannot be used; "
         "write the name of an HTTP header, such as X-Request-Source"),
        ('upstreams: {a: {url: http://h, headers: {k: "q\\r\\nX: y"}}}', "gateway.yaml:1: 'k' has a value that cannot be used; "
         "use printable ASCII on one line, without blanks at its ends"),
        ("upstreams: {a: {url: http://h, headers: {k: q✓}}}", "gateway.yaml:1: 'k' has a value that cannot be used; "
         "use printable ASCII on one line, without blanks at its ends"),
        ("upstreams: {a: {url: http://h, forward: ['x:']}}", "gateway.yaml:1: item 1 of 'forward' is 'x:'; "
         "write the name of an HTTP header, such as X-Request-Source"),
        ("upstreams: {a: {url: http://h, timeout: 0s}}", "gateway.yaml:1: 'timeout' is '0s'; input should be greater than 0"),
        ("upstreams: {a: {url: http://h, mtom: true}}", "gateway.yaml:1: 'a' has 'mtom', which only a SOAP upstream can have; "
         "remove 'mtom', or add 'wsdl:'"),
        ("upstreams: {a: {url: http://h, addressing: false}}", "gateway.yaml:1: 'a' has 'addressing', which only a SOAP upstream "
         "can have; remove 'addressing', or add 'wsdl:'"),
        (UPSTREAMS + "demo: true\nedge: {listen: '0.0.0.0:1'}", "gateway.yaml:1: the file says demo: true on a listener others "
         "can reach; listen on 127.0.0.1, or remove 'demo: true'"),
        (UPSTREAMS + "edge: {processes: 2}", "gateway.yaml:1: the file has 2 edge processes that count limits each for itself; "
         "set counters.url to a Redis, such as redis://127.0.0.1:6379/0, or edge.processes to 1"),
        (UPSTREAMS + "counters: {url: 'mysql:'}", "gateway.yaml:2: 'counters' has the URL 'mysql:'; "
         "use memory: or redis://host:port/db"),
        (UPSTREAMS + "ledger: {url: 'mysql:'}", "gateway.yaml:2: 'ledger' has the URL 'mysql:'; "
         "use sqlite:///path or postgresql://user@host/name"),
        (UPSTREAMS + "edge: {trusted_proxies: [lb]}", "gateway.yaml:2: item 1 of 'trusted_proxies' is 'lb'; "
         "write a network such as 10.20.0.0/24, or an address"),
        (UPSTREAMS + "edge: {trusted_proxies: ['0.0.0.0/0']}", "gateway.yaml:2: item 1 of 'trusted_proxies' is '0.0.0.0/0', "
         "which is everybody; name the networks of your proxies only"),
        (UPSTREAMS + "edge: {public_url: api}", "gateway.yaml:2: 'public_url' is 'api'; "
         "write an absolute http:// or https:// URL"),
    ],
)  # fmt: skip
def test_what_would_not_work(text: str, finding: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert [str(f) for f in caught.value.findings] == [finding]
