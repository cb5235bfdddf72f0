"""suds. Each line of input is a call as JSON, each line of output its answer or fault. See ``tests/interop/clients.py``."""

from __future__ import annotations

import json
import sys
from typing import Any

from suds import WebFault
from suds.client import Client
from suds.sudsobject import asdict
from suds.transport.http import HttpAuthenticated
from suds.wsse import Security, UsernameToken


def client(call: dict[str, Any]) -> Client:
    options: dict[str, Any] = {"cache": None, "port": "Soap11"}
    if call["auth"] == "basic":
        options["transport"] = HttpAuthenticated(username=call["user"], password=call["secret"])
    options["headers"] = {"Idempotency-Key": call["key"]}  # after the transport, which has headers of its own
    if call["auth"] == "token":
        security = Security()
        security.tokens.append(UsernameToken(call["user"], call["secret"]))
        options["wsse"] = security
    return Client(call["wsdl"], **options)


def plain(value: Any) -> Any:
    if isinstance(value, list):
        return [plain(item) for item in value]
    if hasattr(value, "__keylist__"):
        return {key: plain(item) for key, item in asdict(value).items()}
    return value if value is None or isinstance(value, (bool, int)) else str(value)


def tell(call: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"answer": plain(getattr(client(call).service, call["operation"])(**call["arguments"]))}
    except WebFault as problem:
        fault = problem.fault
        detail = getattr(getattr(fault, "detail", None), "problem", None)
        return {"fault": {"code": str(fault.faultcode), "text": str(fault.faultstring), "problem": plain(detail)}}
    except Exception as problem:  # noqa: BLE001 - what suds raises for a fault under a status other than 500
        status, reason = problem.args[0]
        return {"fault": {"code": "transport", "text": f"{status} {reason}"}}


for line in sys.stdin:
    sys.stdout.write(json.dumps(tell(json.loads(line))) + "\n")
    sys.stdout.flush()
