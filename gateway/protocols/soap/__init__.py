"""SOAP 1.1 and 1.2: contracts read once, codecs compiled from them."""

from gateway.protocols.soap.addressing import Addressing
from gateway.protocols.soap.codec import Codec, compile_operation
from gateway.protocols.soap.jsonschema import answer_schema, fault_schemas, request_schema
from gateway.protocols.soap.model import Contract, NotOffered, Operation
from gateway.protocols.soap.packages import Packages
from gateway.protocols.soap.paths import Field, resolve, resolver
from gateway.protocols.soap.wsdl import read_contract

__all__ = [
    "Addressing",
    "Codec",
    "Contract",
    "Field",
    "NotOffered",
    "Operation",
    "Packages",
    "answer_schema",
    "compile_operation",
    "fault_schemas",
    "read_contract",
    "request_schema",
    "resolve",
    "resolver",
]
