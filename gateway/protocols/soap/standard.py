"""Types and attributes known without their schema: XML Schema's own, those of the SOAP encoding, and those that contracts name by
a standard's own location, which is not fetched.
"""

from __future__ import annotations

from dataclasses import replace

from gateway.protocols.soap import lexical
from gateway.protocols.soap.components import Unresolved
from gateway.protocols.soap.model import (
    ANY_TYPE,
    SOAP_ENC,
    SWA_REF,
    XML,
    XSD,
    ArrayType,
    Attribute,
    ComplexType,
    SimpleType,
    Type,
    Wildcard,
    local,
    namespace,
)

_ENCODINGS = frozenset(SOAP_ENC.values())
_XMIME = "http://www.w3.org/2005/05/xmlmime"
ATTRIBUTES = {
    f"{{{XML}}}lang": "language",
    f"{{{XML}}}space": "NCName",
    f"{{{XML}}}base": "anyURI",
    f"{{{XML}}}id": "ID",
    f"{{{_XMIME}}}contentType": "string",
    f"{{{_XMIME}}}expectedContentTypes": "string",
}
_STANDARD: dict[str, Type] = {
    SWA_REF: SimpleType("base64Binary", SWA_REF),
    "{http://xml.apache.org/xml-soap}DataHandler": SimpleType("base64Binary", "{http://xml.apache.org/xml-soap}DataHandler"),
    **{
        f"{{{_XMIME}}}{name}": ComplexType(
            f"{{{_XMIME}}}{name}",
            f"{{{_XMIME}}}{name}",
            attributes=(Attribute(f"{{{_XMIME}}}contentType", SimpleType("string")),),
            simple=SimpleType(name),
        )
        for name in ("base64Binary", "hexBinary")
    },
}
"""DataHandler is what Axis calls an attachment."""
MAP = "{http://xml.apache.org/xml-soap}Map"
ANY = ComplexType(
    ANY_TYPE,
    ANY_TYPE,
    mixed=True,
    any_attribute=Wildcard(process="lax"),
    content=Wildcard(process="lax", min=0, max=None),
)


def is_standard(name: str) -> bool:
    """Whether a type of that Clark name needs no schema."""
    return name in _STANDARD or namespace(name) == XSD or namespace(name) in _ENCODINGS


def standard_type(name: str) -> Type:
    """The type of that Clark name. Raises ``Unresolved`` when the standard has none such."""
    if name in _STANDARD:
        return _STANDARD[name]
    if namespace(name) in _ENCODINGS:
        return _soap_encoding(name)
    try:
        return lexical.builtin(local(name))
    except KeyError:
        raise Unresolved(f"XML Schema has no type {local(name)}") from None


def _soap_encoding(name: str) -> Type:
    """A type of the SOAP encoding's own schema: arrays, and the simple types once more."""
    if local(name) == "Array":
        return ArrayType(name, ANY_TYPE, name=name)
    if local(name) == "Struct":
        return replace(ANY, key=name, name=name)
    try:
        return replace(lexical.builtin("base64Binary" if local(name) == "base64" else local(name)), name=name)
    except KeyError:
        raise Unresolved(f"the SOAP encoding has no type {local(name)}") from None
