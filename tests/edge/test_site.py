"""Health, OpenAPI and the documentation page."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from starlette.routing import Route

from gateway.edge.site import MAX_DOCUMENTS, Site
from gateway.errors import Forbidden, Unauthenticated


class Guarded:
    """An authenticator that knows one key."""

    async def principal(self, headers: Any) -> str:
        if (b"x-api-key", b"good") not in headers:
            raise Unauthenticated("Send a token.", headers={"www-authenticate": "Bearer"})
        return "oa"


def made(*, public: bool = True, public_url: str | None = None) -> tuple[Site, httpx.AsyncClient]:
    snapshot = SimpleNamespace(
        routes=(),
        versions=("v1", "v2"),
        docs_public=public,
        public_url=public_url,
        authenticator=Guarded(),
        digest="d",
        issuer=None,
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


async def test_documents_of_many_addresses_are_not_kept_for_ever() -> None:
    site, client = made()
    for number in range(MAX_DOCUMENTS * 3):
        answer = await client.get("/openapi/v1.json", headers={"host": f"h{number}"})
        assert answer.json()["servers"] == [{"url": f"http://h{number}"}]
    assert len(site._documents) <= MAX_DOCUMENTS


async def test_the_page_and_what_it_loads() -> None:
    _, client = made()
    page = await client.get("/docs")
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert "http" not in page.text.replace("http-equiv", "")
    script = await client.get("/docs/init.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert '"/openapi/v2.json"' in script.text
    for asset, kind in (("swagger-ui.css", "text/css"), ("swagger-ui-bundle.js", "text/javascript")):
        answer = await client.get(f"/docs/{asset}")
        assert answer.headers["content-type"].startswith(kind)
        assert len(answer.content) > 10_000


@pytest.mark.parametrize("asset", ["other.js", "..%2fsite.py", "%2e%2e", "__init__.py"])
async def test_nothing_else_is_served_from_the_viewer(asset: str) -> None:
    _, client = made()
    assert (await client.get(f"/docs/{asset}")).status_code == 404


async def test_documentation_may_need_a_credential() -> None:
    _, client = made(public=False)
    for path in ("/docs", "/openapi/v1.json"):
        answer = await client.get(path)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert answer.headers["content-type"] == "application/problem+json"
        assert (await client.get(path, headers={"x-api-key": "good"})).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "slug"),
    [
        ("GET", "/docs/a/b", 404, "not-found"),
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
