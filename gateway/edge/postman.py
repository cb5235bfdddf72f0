"""A Postman collection (format 2.1) from an OpenAPI document: one request per operation, filled with its examples.

The address and the token are variables of the collection, and no secret is in it.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

import orjson

Json = dict[str, Any]

SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
METHODS = ("get", "post", "put", "patch", "delete")
ANSWERED = "pm.collectionVariables.set('token', pm.response.json().access_token);"


def collection(api: Json) -> Json:
    """The collection of a document of ``gateway.edge.openapi``."""
    folders: dict[str, list[Json]] = {}
    for path, item in api["paths"].items():
        for method in METHODS:
            if method in item:
                operation = item[method]
                folders.setdefault(operation["tags"][0], []).append(_request(path, method, operation))
    items = [{"name": name, "item": requests} for name, requests in folders.items()]
    values = {"baseUrl": api["servers"][0]["url"], "token": ""}
    if "flows" in api["components"]["securitySchemes"]["token"]:
        items.insert(0, _get_token())
        values |= {"clientId": "", "clientSecret": ""}
    return {
        "info": {"name": f"{api['info']['title']} {api['info']['version']}", "schema": SCHEMA},
        "auth": {"type": "bearer", "bearer": [_pair("token", "{{token}}")]},
        "variable": [_pair(name, value) for name, value in values.items()],
        "item": items,
    }


def _pair(key: str, value: str) -> Json:
    return {"key": key, "value": value, "type": "string"}


def _get_token() -> Json:
    """The request that gets a token for ``clientId`` and keeps it for the others (RFC 6749 section 4.4)."""
    basic = [_pair("username", "{{clientId}}"), _pair("password", "{{clientSecret}}")]
    return {
        "name": "Get a token",
        "event": [{"listen": "test", "script": {"type": "text/javascript", "exec": [ANSWERED]}}],
        "request": {
            "method": "POST",
            "auth": {"type": "basic", "basic": basic},
            "header": [],
            "url": _url("/oauth/token", []),
            "body": {"mode": "urlencoded", "urlencoded": [_pair("grant_type", "client_credentials")]},
        },
    }


def _request(path: str, method: str, operation: Json) -> Json:
    parameters = operation["parameters"]
    headers = [_header(each) for each in parameters if each["in"] == "header"]
    request: Json = {
        "method": method.upper(),
        "header": headers,
        "url": _url(path, parameters),
        "description": _description(operation),
    }
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is not None:
        request["header"] = [{"key": "Content-Type", "value": "application/json"}, *headers]
        request["body"] = {"mode": "raw", "raw": _text(content.get("example", {})), "options": {"raw": {"language": "json"}}}
    if operation.get("security") == []:
        request["auth"] = {"type": "noauth"}
    return {"name": operation["summary"], "request": request, "response": []}


def _header(parameter: Json) -> Json:
    value = "{{$guid}}" if parameter["name"] == "Idempotency-Key" else ""
    used = parameter["required"] or bool(value)
    return {"key": parameter["name"], "value": value, "description": parameter.get("description", ""), "disabled": not used}


def _url(path: str, parameters: list[Json]) -> Json:
    shown = re.sub(r"\{(\w+)\}", r":\1", path)
    query = [
        {
            "key": each["name"],
            "value": _plain(each),
            "description": each.get("description", ""),
            "disabled": not each["required"],
        }
        for each in parameters
        if each["in"] == "query"
    ]
    sent = "&".join(f"{quote(each['key'])}={quote(each['value'], safe='')}" for each in query if not each["disabled"])
    variables = [{"key": each["name"], "value": _plain(each)} for each in parameters if each["in"] == "path"]
    url: Json = {
        "raw": f"{{{{baseUrl}}}}{shown}{'?' if sent else ''}{sent}",
        "host": ["{{baseUrl}}"],
        "path": shown.split("/")[1:],
    }
    return url | ({"query": query} if query else {}) | ({"variable": variables} if variables else {})


def _plain(parameter: Json) -> str:
    value = parameter.get("example", "")
    return value if isinstance(value, str) else _text(value)


def _text(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def _description(operation: Json) -> str:
    roles = operation.get("x-required-roles")
    needs = f" Needs one of the roles {', '.join(roles)}." if roles else ""
    return f"{operation['operationId']}.{needs}"
