from __future__ import annotations

import pytest

from gateway.protocols.soap.components import Unresolved
from gateway.protocols.soap.model import ANY_TYPE, SOAP_ENC, SWA_REF, XSD, ArrayType, ComplexType, SimpleType
from gateway.protocols.soap.standard import is_standard, standard_type

ENCODING = SOAP_ENC["1.1"]


@pytest.mark.parametrize(
    ("name", "builtin"),
    [
        (f"{{{XSD}}}int", "int"),
        (f"{{{XSD}}}anySimpleType", "anySimpleType"),
        (f"{{{ENCODING}}}int", "int"),
        (f"{{{ENCODING}}}base64", "base64Binary"),
        (f"{{{SOAP_ENC['1.2']}}}dateTime", "dateTime"),
        (SWA_REF, "base64Binary"),
    ],
)
def test_simple_types(name: str, builtin: str) -> None:
    found = standard_type(name)
    assert is_standard(name)
    assert isinstance(found, SimpleType)
    assert found.builtin == builtin


def test_arrays_structs_and_media() -> None:
    array, struct = standard_type(f"{{{ENCODING}}}Array"), standard_type(f"{{{ENCODING}}}Struct")
    assert isinstance(array, ArrayType)
    assert array.item == ANY_TYPE
    assert isinstance(struct, ComplexType)
    assert struct.content is not None
    assert struct.key == f"{{{ENCODING}}}Struct"
    media = standard_type("{http://www.w3.org/2005/05/xmlmime}base64Binary")
    assert isinstance(media, ComplexType)
    assert media.simple == SimpleType("base64Binary")


@pytest.mark.parametrize("space", [XSD, ENCODING])
def test_a_name_the_standard_does_not_have(space: str) -> None:
    with pytest.raises(Unresolved, match="has no type nothing"):
        standard_type(f"{{{space}}}nothing")


def test_a_contracts_own_types_need_their_schema() -> None:
    assert not is_standard("{urn:t}int")
    assert not is_standard("int")
