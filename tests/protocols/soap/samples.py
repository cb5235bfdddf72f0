"""What becomes of every request and response of node-soap's samples, as a table: ``python -m tests.protocols.soap.samples``.

Each body is read into JSON by the codec of its operation and written again; the two must be the same XML up to prefixes, and the
JSON must satisfy the JSON Schema. A fault must become a problem. A multipart is unpacked first. Where that cannot be the table
says why.
"""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import astuple, dataclass, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import jsonschema
from lxml import etree

from gateway.errors import BadAnswer, ConfigError, Problem, Unprocessable
from gateway.protocols.soap import Contract, Operation, Packages, answer_schema, compile_operation, read_contract
from gateway.protocols.soap.model import ENVELOPES, SOAP_ENC, XSI
from gateway.protocols.soap.stored import dump, load

TABLE = Path(__file__).parents[2] / "golden/corpus/samples.csv"
_FOLDER = "soap/node-soap/test/request-response-samples"
_WRITTEN_FREELY = {f"{{{XSI}}}type", f"{{{XSI}}}schemaLocation", *(f"{{{space}}}encodingStyle" for space in ENVELOPES.values())}


@dataclass(frozen=True, slots=True)
class Line:
    """``outcome`` is ``same``, ``fault`` or ``no``; ``reason`` says why not."""

    sample: str
    side: str
    outcome: str
    reason: str


def lines(corpora: Path) -> Iterator[Line]:
    for folder in sorted(path for path in (corpora / _FOLDER).iterdir() if path.is_dir()):
        try:
            contract = load(dump(read_contract(next(folder.glob("*.wsdl")))))
            operation = _operation(contract, folder.name.partition("__")[0])
        except (ConfigError, LookupError) as error:
            reason = error.findings[0].what if isinstance(error, ConfigError) else str(error.args[0])
            yield Line(folder.name, "both", "no", reason)
            continue
        for side in ("request", "response"):
            file = folder / f"{side}.xml"
            if file.exists():
                yield Line(folder.name, side, *_judge(contract, operation, side, file.read_bytes(), _multipart(folder, side)))


def _multipart(folder: Path, side: str) -> str:
    """The Content-Type of a response that is a multipart."""
    headers = folder / "responseHttpHeader.json"
    kind: str = json.loads(headers.read_text("utf-8"))["content-type"] if side == "response" and headers.exists() else ""
    return kind if kind.lower().startswith("multipart/") else ""


def _operation(contract: Contract, name: str) -> Operation:
    """The operation a sample's name begins with; node-soap's own name for it may be another one's."""
    names = {operation.name for operation in contract.operations}
    if name not in names and len(names) == 1:
        return contract.operations[0]
    return contract.operation(name)


def _judge(contract: Contract, operation: Operation, side: str, data: bytes, multipart: str) -> tuple[str, str]:
    message = operation.input if side == "request" else operation.output
    if message is None:
        return ("same", "one-way: nothing is read") if not data.strip() else ("no", "the WSDL declares no output")
    there_and_back = replace(operation, input=message, output=message)
    codec = compile_operation(contract, there_and_back)
    try:
        if multipart:
            data, _ = Packages(contract, codec).unpack(multipart, data)
        value = codec.decode(data)
    except BadAnswer as error:
        return "no", str(error.detail)
    except Problem as error:
        return "fault", type(error).__name__
    described = answer_schema(contract, there_and_back)
    try:
        again = codec.encode(value)
    except Unprocessable as error:
        return "no", f"read, but not valid: {error.errors[0].pointer} {error.errors[0].detail}"
    jsonschema.Draft202012Validator(described or {}).validate(value)
    before, after = _body(data), _body(again)
    if message.encoded:
        before, after = before[0], after[0]
        after.tag = before.tag
    difference = next(differences(before, after), None)
    return ("no", difference) if difference else ("same", "")


def _body(data: bytes) -> Any:
    root = etree.fromstring(data.strip(), etree.XMLParser(remove_comments=True))
    return next(child for child in root if etree.QName(child).localname == "Body")


def differences(one: Any, other: Any) -> Iterator[str]:
    """How two elements differ, prefixes, insignificant space and spellings of the same number aside."""
    name = etree.QName(one).localname
    if one.tag != other.tag:
        yield f"{name} became {etree.QName(other).localname}"
        return
    for node in (one, other):
        if node.get(f"{{{XSI}}}nil") == "false":
            del node.attrib[f"{{{XSI}}}nil"]
    mine, theirs = (
        {k: v for k, v in node.items() if k not in _WRITTEN_FREELY and SOAP_ENC["1.1"] not in k} for node in (one, other)
    )
    if mine != theirs:
        yield f"the attributes of {name}: {sorted(mine)} became {sorted(theirs)}"
    if len(one) != len(other):
        yield f"the number of elements in {name}"
    elif not len(one) and _text(one) != _text(other):
        yield f"the text of {name}"
    for child, again in zip(one, other, strict=False):
        yield from differences(child, again)


def _text(node: Any) -> object:
    text = (node.text or "").strip()
    try:
        return Decimal(text)
    except InvalidOperation:
        return {"true": "1", "false": "0"}.get(text, text)


def read() -> list[Line]:
    with TABLE.open(encoding="utf-8", newline="") as file:
        return [Line(row["sample"], row["side"], row["outcome"], row["reason"]) for row in csv.DictReader(file)]


def main() -> None:
    found = list(lines(Path(os.environ["GATEWAY_CORPORA"])))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(Line.__slots__)
    writer.writerows(astuple(line) for line in found)
    TABLE.write_text(text.getvalue(), encoding="utf-8")
    counts = {outcome: sum(line.outcome == outcome for line in found) for outcome in ("same", "fault", "no")}
    sys.stdout.write(json.dumps(counts) + "\n")


if __name__ == "__main__":
    main()
