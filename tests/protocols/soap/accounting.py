"""What becomes of every WSDL of the corpora, as a table that is committed: ``python -m tests.protocols.soap.accounting``.

One line per file: whether it is valid and why not, how many operations are offered, and the reason for each that is not.
Validity is judged by ``xmlschema``, which validates the WSDL, resolves its references and builds its schemas; where it refuses
what it cannot read (SOAP 1.2 bindings, deep import circles, the encoding's own schema) the file counts as valid, so that nothing
is gained by it.
The last line of output is JSON with the shares.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import sys
import warnings
from collections import Counter
from dataclasses import astuple, dataclass
from pathlib import Path

from lxml import etree
from xmlschema.exceptions import XMLSchemaException
from xmlschema.extras.wsdl import Wsdl11Document

from gateway.errors import ConfigError
from gateway.protocols.soap import Contract, compile_operation, read_contract
from gateway.protocols.soap.stored import dump, load

TABLE = Path(__file__).parents[2] / "golden/corpus/wsdl.csv"
_BEYOND_THE_JUDGE = ("missing soap:binding element", "'soapenc:Array'", "maximum recursion depth", "unmapped prefix 'xml'")
_NO_OPERATION = "it has no SOAP operation"


@dataclass(frozen=True, slots=True)
class Line:
    """A file's account. ``reasons`` are those of the operations not offered, or of the file."""

    file: str
    valid: str
    invalid_because: str
    offered: int
    not_offered: int
    reasons: str


def judge(path: Path) -> str:
    """Why a WSDL is not valid, "" when it is."""
    try:
        if missing := [name for name in _named(path) if not Path(path.parent, name).is_file()]:
            return f"the file {missing[0]} it names is not there"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            Wsdl11Document(str(path), allow="local", timeout=1)
    except (XMLSchemaException, ValueError, LookupError, TypeError, RecursionError, SyntaxError, OSError) as error:
        text = " ".join(str(error).split())
        if any(mark in text for mark in _BEYOND_THE_JUDGE):
            return ""
        return _shortened(text.partition(" Schema component")[0])
    return ""


def _named(path: Path) -> list[str]:
    """The files a WSDL names by relative location. Raises ``ValueError`` when it is none."""
    root = etree.parse(str(path)).getroot()
    if root.tag != "{http://schemas.xmlsoap.org/wsdl/}definitions":
        raise ValueError("its root element is not wsdl:definitions")
    found = [str(each) for each in root.xpath("//@schemaLocation | //*[local-name()='import']/@location")]
    return [name for name in found if "://" not in name and not name.startswith("/")]


def _shortened(text: str) -> str:
    text = re.sub(r"(?:file://|(?<![\w:/.]))/(?:[^\s/']+/)+", "", text)
    text = re.sub(r" at 0x[0-9a-f]+", "", text)
    return text[:160].rstrip(" :|")


def account(path: Path) -> tuple[int, int, str]:
    """How many operations are offered and not, and the reasons. Every codec is compiled: a codec that cannot be is no offer."""
    try:
        contract = read_contract(path)
    except ConfigError as error:
        return 0, 0, "; ".join(f"{Path(f.file).name}:{f.line}: {_shortened(f.what)}" for f in error.findings)
    if load(dump(contract)) != contract:
        raise AssertionError(f"{path} is another contract once it was stored")
    _compile(contract)
    reasons = Counter(refused.reason for refused in contract.not_offered)
    text = "; ".join(f"{reason} ({count})" if count > 1 else reason for reason, count in reasons.items())
    if not contract.operations and not contract.not_offered:
        text = _NO_OPERATION
    return len(contract.operations), len(contract.not_offered), text


def _compile(contract: Contract) -> None:
    for operation in contract.operations:
        compile_operation(contract, operation).compile()


def files(corpora: Path) -> list[str]:
    return [str(path.relative_to(corpora / "soap")) for path in sorted((corpora / "soap").rglob("*.wsdl"))]


def read() -> list[Line]:
    with TABLE.open(encoding="utf-8", newline="") as lines:
        return [
            Line(r["file"], r["valid"], r["invalid_because"], int(r["offered"]), int(r["not_offered"]), r["reasons"])
            for r in csv.DictReader(lines)
        ]


def shares(lines: list[Line]) -> dict[str, object]:
    """The figures: a valid file passes when it has SOAP operations and all are offered; files without any are not counted."""
    valid = [line for line in lines if line.valid == "yes" and line.reasons != _NO_OPERATION]
    passed = [line for line in valid if line.offered and not line.not_offered]
    invalid = [line for line in lines if line.valid == "no"]
    return {
        "files": len(lines),
        "without_soap_operations": sum(line.reasons == _NO_OPERATION for line in lines),
        "valid": len(valid),
        "valid_and_all_offered": len(passed),
        "valid_percent": round(100 * len(passed) / len(valid), 1),
        "invalid": len(invalid),
        "invalid_and_yet_all_offered": sum(bool(line.offered) and not line.not_offered for line in invalid),
        "operations_offered": sum(line.offered for line in lines),
        "operations_with_a_reason": sum(line.not_offered for line in lines),
    }


def main() -> None:
    corpora = Path(os.environ["GATEWAY_CORPORA"])
    lines = []
    for name in files(corpora):
        why = judge(corpora / "soap" / name)
        lines.append(Line(name, "no" if why else "yes", why, *account(corpora / "soap" / name)))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(Line.__slots__)
    writer.writerows(astuple(line) for line in lines)
    TABLE.write_text(text.getvalue(), encoding="utf-8")
    sys.stdout.write(json.dumps(shares(lines)) + "\n")


if __name__ == "__main__":
    main()
