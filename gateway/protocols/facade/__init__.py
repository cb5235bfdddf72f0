"""The other direction: routes offered as SOAP 1.1 and 1.2, with a WSDL made from their JSON Schemas."""

from gateway.protocols.facade.envelope import Addressing, Envelope, open_envelope, response_header
from gateway.protocols.facade.faults import blames_caller, coded, fault, upgrade
from gateway.protocols.facade.order import Order
from gateway.protocols.facade.service import Call, Offer, OfferedOperation, Service, require_expressible, wrapped
from gateway.protocols.facade.shapes import Inexpressible
from gateway.protocols.facade.values import Misfit

__all__ = [
    "Addressing",
    "Call",
    "Envelope",
    "Inexpressible",
    "Misfit",
    "Offer",
    "OfferedOperation",
    "Order",
    "Service",
    "blames_caller",
    "coded",
    "fault",
    "open_envelope",
    "require_expressible",
    "response_header",
    "upgrade",
    "wrapped",
]
