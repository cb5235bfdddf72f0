"""Health, OpenAPI and the documentation page."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from starlette.routing import Route

from gateway.edge.docs import CSP
from gateway.edge.site import Site
from gateway.errors import Forbidden, Unauthenticated
from gateway.exchange import Principal
from gateway.policy import compile_policy, read_policy
from gateway.routing import Route as Api


class Guarded:
    """An authenticator that knows one key."""

    async def principal(self, headers: Any) -> Principal:
        if (b"x-api-key", b"good") not in headers:
            raise Unauthenticated("Send a token.", headers={"www-authenticate": "Bearer"})
        return Principal("oa", "demo")


ORDER = {"type": "object", "required": ["sku"], "properties": {"sku": {"type": "string", "description": "<b>Which</b> 100%"}}}
POLICY = b"p, oa, demo, orders.create, allow\np, wms, demo, stock.get, allow\n# end\n"


def route(operation: str, method: str, path: str, version: str = "v2") -> Api:
    handler: Any = None
    call: Any = SimpleNamespace(request_schema=lambda: ORDER, answer_schema=lambda: ORDER, refusals=dict)
    return Api(operation, version, method, f"/api/{version}{path}", handler, call, 200)


def made(*, public: bool = True, public_url: str | None = None, issuer: bool = False) -> tuple[Site, httpx.AsyncClient]:
    snapshot = SimpleNamespace(
        routes=(route("orders.create", "POST", "/orders"), route("stock.get", "GET", "/stock/{sku}")),
        versions=("v1", "v2"),
        docs_public=public,
        public_url=public_url,
        authenticator=Guarded(),
        policy=compile_policy(read_policy("policy.csv", POLICY)),
        digest="d",
        issuer=object() if issuer else None,
    )
    live: Any = SimpleNamespace(snapshot=snapshot, status=lambda *, places_only: {"status": "ready", "places_only": places_only})

    async def forbidden(request: Any) -> None:
        raise Forbidden("No.")

    async def broken(request: Any) -> None:
        raise KeyError("secret")

    site = Site(live, [Route("/oauth/forbidden", forbidden), Route("/oauth/broken", broken)])
    transport = httpx.ASGITransport(site.app, raise_app_exceptions=False)
    return site, httpx.AsyncClient(transport=transport, base_url="http://gateway:8080")


async def test_health() -> None:
    _, client = made()
    assert (await client.get("/health/live")).json() == {"status": "alive"}
    assert (await client.get("/health/ready")).json() == {"status": "ready", "places_only": True}


@pytest.mark.parametrize(
    ("public_url", "base"), [(None, "http://gateway:8080"), ("https://api.example.com", "https://api.example.com")]
)
async def test_openapi(public_url: str | None, base: str) -> None:
    _, client = made(public_url=public_url)
    answer = await client.get("/openapi/v2.json")
    assert answer.headers["content-type"] == "application/json"
    assert (answer.json()["info"]["version"], answer.json()["servers"]) == ("v2", [{"url": base}])


async def test_an_unknown_version() -> None:
    _, client = made()
    answer = await client.get("/openapi/v3.json")
    assert (answer.status_code, answer.json()["detail"]) == (404, "The versions are v1, v2.")


async def test_the_list_and_the_page_of_a_call() -> None:
    _, client = made()
    page = await client.get("/docs")
    assert page.headers["content-security-policy"] == CSP
    assert page.headers["cache-control"] == "no-store"
    for text in ("/docs/v2/orders.create", "/docs/v2/stock.get", "/openapi/v2.json", 'href="/docs/v1"'):
        assert text in page.text
    shown = (await client.get("/docs/v2/orders.create")).text
    for text in ("/api/v2/orders", "&lt;b&gt;Which&lt;/b&gt; 100%", "curl -X POST", "oa"):
        assert text in shown
    assert "<b>" not in shown
    assert "/docs/v1/" not in (await client.get("/docs/v1")).text


async def test_pages_load_nothing_from_elsewhere_and_have_nothing_inline() -> None:
    _, client = made()
    for path in ("/docs", "/docs/v2/orders.create"):
        text = (await client.get(path)).text
        addresses = re.findall(r'(?:src|href)="([^"]*)"', text)
        assert addresses
        assert all(address.startswith(("/docs", "/openapi", "#")) for address in addresses)
        assert " style=" not in text
        assert "<style" not in text
        for address in {address for address in addresses if address.startswith("/docs/static/")}:
            answer = await client.get(address.partition("#")[0])
            assert answer.status_code == 200
            assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize("asset", ["other.js", "..%2fsite.py", "%2e%2e", "__init__.py", "console.js"])
async def test_no_other_file_is_served(asset: str) -> None:
    _, client = made()
    assert (await client.get(f"/docs/static/{asset}")).status_code == 404


async def test_in_chinese() -> None:
    _, client = made()
    assert "v2 的接口" in (await client.get("/docs", headers={"accept-language": "zh-CN"})).text
    answer = await client.get("/docs?lang=zh-CN")
    assert '<html lang="zh-CN">' in answer.text
    assert "erp_gateway_language=zh-CN" in answer.headers["set-cookie"]
    assert "set-cookie" not in (await client.get("/docs?lang=xx")).headers


async def test_documentation_may_need_a_credential() -> None:
    _, client = made(public=False, issuer=True)
    answer = await client.get("/openapi/v2.json")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert answer.headers["content-type"] == "application/problem+json"
    for path in ("/docs", "/docs/v2", "/docs/v2/orders.create", "/docs/v9/no.such"):
        page = await client.get(path)
        assert page.status_code == 200
        assert 'name="secret"' in page.text
        assert "orders" not in page.text.replace(path, "")
        assert (await client.get(path, headers={"x-api-key": "bad"})).status_code == 401


@pytest.mark.parametrize("public", [True, False])
async def test_whoever_brings_a_credential_sees_what_they_may_call(public: bool) -> None:
    _, client = made(public=public)
    good = {"x-api-key": "good"}
    api = (await client.get("/openapi/v2.json", headers=good)).json()
    assert list(api["paths"]) == ["/api/v2/orders"]
    page = (await client.get("/docs", headers=good)).text
    assert "orders.create" in page
    assert "stock.get" not in page
    assert (await client.get("/docs/v2/orders.create", headers=good)).status_code == 200
    assert (await client.get("/docs/v2/stock.get", headers=good)).status_code == 404
    collection = (await client.get("/openapi/v2.json?postman", headers=good)).json()
    assert [folder["name"] for folder in collection["item"]] == ["orders"]
    assert (await client.get("/openapi/v2.json", headers={"x-api-key": "bad"})).status_code == 401


async def test_without_a_token_endpoint_the_page_asks_for_a_token_or_a_key() -> None:
    page = (await made(public=False)[1].get("/docs")).text
    assert 'name="secret"' not in page
    assert 'name="token"' in page


@pytest.mark.parametrize(
    ("method", "path", "status", "slug"),
    [
        ("GET", "/docs/a/b", 404, "not-found"),
        ("GET", "/docs/v2/a.b", 404, "not-found"),
        ("GET", "/docs/a/b/c", 404, "not-found"),
        ("POST", "/docs", 405, "method-not-allowed"),
        ("GET", "/oauth/forbidden", 403, "forbidden"),
        ("GET", "/oauth/broken", 500, "internal"),
    ],
)
async def test_every_refusal_is_a_problem(method: str, path: str, status: int, slug: str) -> None:
    _, client = made()
    answer = await client.request(method, path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["type"] == f"urn:erp-gateway:problem:{slug}"
    assert "secret" not in answer.text
    if status == 405:
        assert "GET" in answer.headers["allow"]


async def test_a_browser_sees_a_page_and_a_script_json_where_there_is_no_call() -> None:
    _, client = made()
    browser = await client.get("/docs/v2/no.such", headers={"accept": "text/html,application/xhtml+xml"})
    assert (browser.status_code, browser.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert browser.headers["content-security-policy"] == CSP
    assert 'href="/docs"' in browser.text
    script = await client.get("/docs/v2/no.such", headers={"accept": "text/html, application/problem+json"})
    assert script.headers["content-type"] == "application/problem+json"
