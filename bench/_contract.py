"""A WSDL of the size ERP systems publish: some 2 MB, 1,000 complex types, 251 operations. Always the same bytes.

Types come in modules of twenty, as an ERP's do: a tree of structures, fields with code lists, a type with derived ones, here and
there an open extension point. The root of every module is derived from one abstract document, and one operation takes just that,
so that it reaches every type there is. Each field is documented.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

MODULE: Final = 20
OPERATIONS_PER_MODULE: Final = 5
_CODES: Final = 12
_FIELDS: Final = 9
_TEXTS: Final = (
    "The key of the document in the ledger of its company code.",
    "Filled by the system when the entry is released.",
    "Amount in the currency of the document.",
    "Shown on printed forms and to the approver.",
)
_BUILTINS: Final = ("string", "decimal", "date", "int", "boolean", "dateTime", "string", "long")

_HEAD: Final = """<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
  xmlns:t="urn:bench:erp" xmlns:xs="http://www.w3.org/2001/XMLSchema" name="Erp" targetNamespace="urn:bench:erp">
<types><xs:schema targetNamespace="urn:bench:erp" elementFormDefault="qualified">
<xs:complexType name="Document" abstract="true">
  <xs:sequence><xs:element name="key" type="xs:string"/></xs:sequence></xs:complexType>
"""


def wsdl(types: int = 1_000) -> str:
    """The document, with that many complex types (a multiple of ``MODULE``)."""
    modules = range(types // MODULE)
    wrapped = dict(pair for module in modules for pair in _operations(module)) | {"PostDocument": ("Document", "Document")}
    operations = list(wrapped)
    lines = [_HEAD, *(line for module in modules for line in _module(module))]
    for name, (request, answer) in wrapped.items():
        lines += [*_wrapper(name, request), *_wrapper(f"{name}Response", answer)]
    lines.append("</xs:schema></types>\n")
    for name in operations:
        lines.append(f'<message name="{name}In"><part name="parameters" element="t:{name}"/></message>\n')
        lines.append(f'<message name="{name}Out"><part name="parameters" element="t:{name}Response"/></message>\n')
    lines.append('<portType name="Port">\n')
    for name in operations:
        lines.append(f'<operation name="{name}"><input message="t:{name}In"/><output message="t:{name}Out"/></operation>\n')
    lines.append('</portType>\n<binding name="Binding" type="t:Port">')
    lines.append('<soap:binding transport="http://schemas.xmlsoap.org/soap/http"/>\n')
    for name in operations:
        lines.append(
            f'<operation name="{name}"><soap:operation soapAction="urn:bench:erp/{name}"/>'
            '<input><soap:body use="literal"/></input><output><soap:body use="literal"/></output></operation>\n'
        )
    lines.append('</binding>\n<service name="Erp"><port name="Port" binding="t:Binding">')
    lines.append('<soap:address location="http://127.0.0.1:9/erp"/></port></service>\n</definitions>\n')
    return "".join(lines)


def _module(module: int) -> Iterator[str]:
    for code in range(2):
        yield f'<xs:simpleType name="Code{module}x{code}"><xs:restriction base="xs:string"><xs:maxLength value="4"/>'
        yield "".join(f'<xs:enumeration value="{module:02d}{n:02d}"/>' for n in range(_CODES))
        yield "</xs:restriction></xs:simpleType>\n"
    for number in range(MODULE):
        yield from _type(module, number)


def _type(module: int, number: int) -> Iterator[str]:
    """Type ``number`` of a module: 0 is the root of a tree and derived from the document, the last two from the third last."""
    yield f'<xs:complexType name="Type{module}x{number}">{_doc(number)}'
    base = "Document" if number == 0 else f"Type{module}x{MODULE - 3}" if number >= MODULE - 2 else ""
    if base:
        yield f'<xs:complexContent><xs:extension base="t:{base}">'
    yield "<xs:sequence>\n"
    for field in range(_FIELDS):
        yield from _field(module, number, field)
    for child in (2 * number + 1, 2 * number + 2):
        if child < MODULE - 2:
            often = "unbounded" if child % 3 == 0 else "1"
            yield f'<xs:element name="part{child}" type="t:Type{module}x{child}" minOccurs="0" maxOccurs="{often}"/>\n'
    if module % 10 == 0 and number == 9:
        yield '<xs:any namespace="##other" processContents="lax" minOccurs="0"/>\n'
    yield "</xs:sequence>"
    yield "</xs:extension></xs:complexContent></xs:complexType>\n" if base else "</xs:complexType>\n"


def _field(module: int, number: int, field: int) -> Iterator[str]:
    name = f"{'extra' if number >= MODULE - 2 else 'field'}{number}x{field}"
    least = 'minOccurs="0"' if (number + field) % 3 else ""
    if field == 0:
        yield f'<xs:element name="{name}" type="t:Code{module}x{number % 2}" {least}>{_doc(field)}</xs:element>\n'
    elif field == 1:
        yield f'<xs:element name="{name}" {least}>{_doc(field)}<xs:simpleType><xs:restriction base="xs:string">'
        yield '<xs:maxLength value="40"/></xs:restriction></xs:simpleType></xs:element>\n'
    else:
        builtin = _BUILTINS[(number + field) % len(_BUILTINS)]
        yield f'<xs:element name="{name}" type="xs:{builtin}" {least}>{_doc(number + field)}</xs:element>\n'


def _doc(number: int) -> str:
    return f"<xs:annotation><xs:documentation>{_TEXTS[number % len(_TEXTS)]}</xs:documentation></xs:annotation>"


def _operations(module: int) -> Iterator[tuple[str, tuple[str, str]]]:
    """Operation names with the types their requests and answers hold."""
    for action in range(OPERATIONS_PER_MODULE):
        request = 2 * action + 1 if action else 0
        yield f"Module{module}Action{action}", (f"Type{module}x{request}", f"Type{module}x{action}")


def _wrapper(name: str, type: str) -> Iterator[str]:
    yield f'<xs:element name="{name}"><xs:complexType><xs:sequence>'
    yield f'<xs:element name="document" type="t:{type}"/></xs:sequence></xs:complexType></xs:element>\n'
