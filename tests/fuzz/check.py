"""One schema and its documents against everything that must hold: see ``Suite.document``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import xmlschema
from lxml import etree

from gateway.protocols.soap import answer_schema, answers, compile_operation, read_contract, request_schema
from gateway.protocols.soap.scanner import MISS
from gateway.protocols.soap.stored import dump, load
from tests.fuzz.schemas import Schema
from tests.protocols.soap.wsdls import XSD, wsdl

XSI = "http://www.w3.org/2001/XMLSchema-instance"
_SCOPE = f'xmlns:t="urn:t" xmlns:u="urn:u" xmlns:o="urn:o" xmlns:xsi="{XSI}" xmlns:xs="http://www.w3.org/2001/XMLSchema"'
_HEAD = f'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" {_SCOPE}><e:Body>'
_TAIL = "</e:Body></e:Envelope>"


class Invalid(Exception):
    """The generator made something that is not valid: its fault, not the codec's."""


class Suite:
    """The codec, the schemas and the judge of one random contract, whose files are written to ``folder``. All but the judge are
    made from a contract that was stored and loaded again."""

    def __init__(self, schema: Schema, folder: Path) -> None:
        (folder / "main.xsd").write_text(schema.main(), encoding="utf-8")
        (folder / "other.xsd").write_text(schema.other(), encoding="utf-8")
        imports = f'<xs:schema xmlns:xs="{XSD}"><xs:import namespace="urn:t" schemaLocation="main.xsd"/></xs:schema>'
        (folder / "service.wsdl").write_text(wsdl(imports), encoding="utf-8")
        try:
            self._judge = xmlschema.XMLSchema(str(folder / "main.xsd"))
        except xmlschema.XMLSchemaException as error:
            raise Invalid(str(error)) from error
        fresh = read_contract(folder / "service.wsdl")
        contract = load(dump(fresh))
        assert contract == fresh
        assert not contract.not_offered, contract.not_offered
        (operation,) = contract.operations
        self._codec = compile_operation(contract, operation)
        self._request = jsonschema.Draft202012Validator(request_schema(contract, operation))
        self._answer = jsonschema.Draft202012Validator(answer_schema(contract, operation) or {})

    def document(self, text: str) -> None:
        """XML to JSON to XML is the same XML; JSON to XML to JSON is the same JSON; every way of reading gives the same value;
        and the value satisfies the JSON Schema of request and answer. Raises ``AssertionError`` or what the codec raises."""
        envelope = f"{_HEAD}{text}{_TAIL}".encode()
        body = etree.fromstring(envelope)[0][0]
        if not self._judge.is_valid(etree.tostring(body, with_tail=False, encoding="unicode")):
            raise Invalid(text)
        value = self._codec.decode(envelope)
        again = self._codec.encode(value)
        assert self._codec._decode(answers.tree_with_namespaces(envelope)) == value
        scanned = self._codec._scanner.read(again)
        assert scanned is MISS or scanned == value
        difference = differs(body, etree.fromstring(again)[0][0])
        assert difference == "", difference
        assert self._codec.decode(again) == value
        assert self._codec.encode(self._codec.decode(again)) == again
        self._request.validate(value)
        self._answer.validate(value)


def differs(one: Any, other: Any) -> str:
    """Where two elements say different things, "" when nowhere. Prefixes and spellings of numbers may differ. So may the order of
    elements that all have different names, as in an ``all`` group; the judge has seen to the others."""
    if one.tag != other.tag:
        return f"{one.tag} became {other.tag}"
    mine, theirs = _facts(one), _facts(other)
    if mine != theirs:
        return f"{one.tag}: {mine} became {theirs}"
    ours, others = [c for c in one if isinstance(c.tag, str)], list(other)
    if sorted(c.tag for c in ours) == sorted(c.tag for c in others) and len({c.tag for c in ours}) == len(ours):
        ours, others = sorted(ours, key=lambda c: str(c.tag)), sorted(others, key=lambda c: str(c.tag))
    if len(ours) != len(others):
        return f"{one.tag}: {len(ours)} elements became {len(others)}"
    for child, again in zip(ours, others, strict=True):
        if (child.tail or "").strip() != (again.tail or "").strip():
            return f"the text after {child.tag}"
        found = differs(child, again)
        if found:
            return found
    return ""


def _facts(node: Any) -> tuple[object, ...]:
    """Attributes and text of an element, in one spelling."""
    attributes = sorted((str(name), _spelt(node, text)) for name, text in node.items() if not _is_default(name, text))
    text = "".join(node.itertext(with_tail=False)) if not any(isinstance(c.tag, str) for c in node) else (node.text or "").strip()
    return (*attributes, _spelt(node, text))


def _is_default(name: str, text: str) -> bool:
    return name == f"{{{XSI}}}nil" and text in ("false", "0")


def _spelt(node: Any, text: str) -> str:
    """A text in one spelling: numbers by value, truth values, names in full, spaces collapsed where that is all there is."""
    bare = " ".join(text.split())
    if ":" in bare and bare.partition(":")[0] in node.nsmap and " " not in bare:
        prefix, _, name = bare.partition(":")
        return f"{{{node.nsmap[prefix]}}}{name}"
    words = [_number(word) for word in bare.split(" ")]
    if bare and all(words):
        return " ".join(words)
    return bare if "¤" in bare else text


def _number(word: str) -> str:
    if word in ("true", "false"):
        return "1.0" if word == "true" else "0.0"
    try:
        value = float(word.replace("INF", "inf"))
    except ValueError:
        return ""
    if word.lstrip("+-").isdigit() and abs(value) >= 2**53:
        return str(int(word))
    return repr(value + 0.0)
