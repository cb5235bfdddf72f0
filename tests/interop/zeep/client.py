"""zeep. Each line of input is a call as JSON, each line of output its answer or fault. See ``tests/interop/clients.py``."""

from __future__ import annotations

import json
import sys
from typing import Any

from lxml import etree
from requests import Session
from zeep import Client, Transport
from zeep.exceptions import Fault
from zeep.helpers import serialize_object
from zeep.wsse.username import UsernameToken


def client(call: dict[str, Any]) -> Client:
    session = Session()
    session.headers["Idempotency-Key"] = call["key"]
    session.auth = (call["user"], call["secret"]) if call["auth"] == "basic" else None
    token = None
    if call["auth"] in ("token", "digest"):
        token = UsernameToken(call["user"], call["secret"], use_digest=call["auth"] == "digest")
    port = "Soap12" if call["soap"] == "1.2" else "Soap11"
    return Client(call["wsdl"], wsse=token, transport=Transport(session=session), port_name=port)


def tell(call: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"answer": serialize_object(client(call).service[call["operation"]](**call["arguments"]), dict)}
    except Fault as fault:
        problem = next(fault.detail.iter("{*}problem"), ()) if fault.detail is not None else ()
        fields = {etree.QName(node).localname: node.text or [child.text for child in node] for node in problem}
        return {"fault": {"code": str(fault.code), "text": fault.message, "problem": fields}}


for line in sys.stdin:
    sys.stdout.write(json.dumps(tell(json.loads(line)), default=str) + "\n")
    sys.stdout.flush()
