"""The documentation page: a list of calls, and a page for each, made on this side from the OpenAPI document.

Nothing but the pages' own script knows the reader's credential, and that only in memory: it asks for the same pages again with
it. Looks and icons are the console's files, so that both look alike. Nothing comes from another place, and no form can be sent
without the script, so that no secret ends in an address.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response

from gateway.edge.fields import Field, Json, field_of, fields
from gateway.errors import NotFound
from gateway.exchange import Principal
from gateway.languages import Language, choose, languages
from gateway.pages import address, environments

FOLDER = Path(__file__).parent
LOOKS = FOLDER.parent / "console" / "static"
LOCALE = FOLDER / "locale"
COOKIE = "erp_gateway_language"
YEAR = 366 * 86400

ASSETS = {
    "console.css": (LOOKS, "text/css"),
    "icons.svg": (LOOKS, "image/svg+xml"),
    "icon.svg": (LOOKS, "image/svg+xml"),
    "docs.css": (FOLDER / "static", "text/css"),
    "docs.js": (FOLDER / "static", "text/javascript"),
}
CSP = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'"
)


@dataclass(frozen=True, slots=True)
class Part:
    """A body in one direction: its rows, whether there are more, its example as text."""

    fields: list[Field]
    more: bool
    example: str
    any: bool


@dataclass(frozen=True, slots=True)
class Call:
    """One operation of the document, taken apart for its page."""

    id: str
    method: str
    path: str
    tag: str
    item: Json
    parameters: list[tuple[str, Field]]
    request: Part | None
    answers: list[tuple[str, Json, Part | None]]
    problems: list[tuple[str, Json, str, list[Field]]]

    @property
    def summary(self) -> str:
        return str(self.item["summary"])

    @property
    def roles(self) -> list[str]:
        return list(self.item.get("x-required-roles", ()))


def calls(api: Json) -> dict[str, list[tuple[str, str, Json]]]:
    """Method, path and operation of each call, by tag."""
    found: dict[str, list[tuple[str, str, Json]]] = {}
    for path, item in api["paths"].items():
        for method, operation in item.items():
            found.setdefault(operation["tags"][0], []).append((method.upper(), path, operation))
    return found


def call(api: Json, name: str) -> Call:
    """The operation of that id. Raises ``NotFound``: for who reads this document there is none."""
    for tag, entries in calls(api).items():
        for method, path, item in entries:
            if item["operationId"] == name:
                return _call(api, method, path, tag, item)
    raise NotFound


def _call(api: Json, method: str, path: str, tag: str, item: Json) -> Call:
    schemas, responses = api["components"]["schemas"], api["components"]["responses"]
    parameters = [(each["in"], _field(each, schemas)) for each in item["parameters"]]
    request = _part(item.get("requestBody"), schemas)
    answers, problems = [], []
    for status, answer in item["responses"].items():
        found = responses[status] if "$ref" in answer else answer
        told = found.get("content", {}).get("application/problem+json")
        if told is not None:
            problems.append((status, found, _pretty(told["example"]), _faults(told["schema"], schemas)))
        else:
            answers.append((status, answer, _part(answer, schemas)))
    return Call(item["operationId"], method, path, tag, item, parameters, request, answers, problems)


def _field(parameter: Json, schemas: Json) -> Field:
    doc = {"description": parameter["description"]} if "description" in parameter else {}
    return field_of(parameter["name"], parameter["schema"] | doc, schemas, parameter["required"])


def _part(body: Json | None, schemas: Json) -> Part | None:
    content = (body or {}).get("content", {}).get("application/json")
    if content is None:
        return None
    rows, more = fields(content["schema"], schemas)
    example = _pretty(content["example"]) if "example" in content else ""
    return Part(rows, more, example, not content["schema"])


def _faults(schema: Json, schemas: Json) -> list[Field]:
    """The rows of the faults that a problem may tell of."""
    parts = [part for part in schema.get("allOf", ()) if "properties" in part]
    return [row for part in parts for row in fields(part, schemas)[0]]


def _pretty(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def curl(api: Json, shown: Call) -> str:
    """The call as a command line, with the token in a variable."""
    lines = [f"curl -X {shown.method} {_quoted(api['servers'][0]['url'] + _target(shown))}"]
    if shown.item.get("security") != []:
        lines.append('-H "Authorization: Bearer $TOKEN"')
    if any(field.name == "Idempotency-Key" for _, field in shown.parameters):
        lines.append('-H "Idempotency-Key: $(uuidgen)"')
    if shown.request is not None:
        lines += ["-H 'Content-Type: application/json'", f"-d {_quoted(shown.request.example or '{}')}"]
    return " \\\n  ".join(lines)


def _quoted(text: str) -> str:
    """A word of a POSIX shell."""
    return "'" + text.replace("'", "'\\''") + "'"


def _target(shown: Call) -> str:
    """The path with the examples of its parameters, and the query that is needed."""
    path, query = shown.path, []
    for each in shown.item["parameters"]:
        value = quote(str(each.get("example", "")), safe="")
        if each["in"] == "path":
            path = path.replace(f"{{{each['name']}}}", value)
        elif each["in"] == "query" and each["required"]:
            query.append(f"{quote(each['name'], safe='')}={value}")
    return f"{path}?{'&'.join(query)}" if query else path


# --- pages -----------------------------------------------------------------------------------------------------------


@cache
def _environments() -> dict[str, Environment]:
    return environments(FOLDER)


def page(request: Request, template: str, status: int = 200, **values: Any) -> Response:
    """A page in the reader's language. Who asks for another one by ``?lang=`` keeps it in a cookie."""
    wanted = request.query_params.get("lang", "")
    language = chosen(request, wanted)
    known = languages(LOCALE)
    shared = {"language": language, "languages": list(known.values()), "assets": _addresses(), "path": request.url.path}
    text = _environments()[language.tag].get_template(template).render({**shared, **values})
    headers = {"content-security-policy": CSP, "cache-control": "no-store", "referrer-policy": "no-referrer"}
    response = HTMLResponse(text, status, headers)
    if wanted in known:
        response.set_cookie(COOKIE, wanted, max_age=YEAR, path="/docs", httponly=True, samesite="lax")
    return response


def chosen(request: Request, wanted: str) -> Language:
    known = languages(LOCALE)
    cookie = wanted if wanted in known else request.cookies.get(COOKIE)
    return choose(known, cookie, request.headers.get("accept-language"))


@cache
def _addresses() -> dict[str, str]:
    return {name: address("/docs/static", folder / name) for name, (folder, _) in ASSETS.items()}


def asset(name: str) -> Response:
    """One of the files the pages load. Raises ``NotFound``."""
    if name not in ASSETS:
        raise NotFound
    folder, kind = ASSETS[name]
    return FileResponse(folder / name, media_type=kind, headers={"cache-control": "public, max-age=31536000, immutable"})


def reader(viewer: Principal | None) -> str:
    """What the page calls whoever reads it; "" for nobody in particular."""
    return viewer.subject if viewer is not None else ""
