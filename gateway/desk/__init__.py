"""What people do with documents: see what waits for them, decide, act for each other, settle what is stuck."""

from gateway.desk.delegations import Deputy
from gateway.desk.desk import Desk
from gateway.desk.refusals import MESSAGES, Refusal
from gateway.desk.views import Attested, Change, Detail, Entry, Payment, Revision, Row, Voted

__all__ = [
    "MESSAGES",
    "Attested",
    "Change",
    "Deputy",
    "Desk",
    "Detail",
    "Entry",
    "Payment",
    "Refusal",
    "Revision",
    "Row",
    "Voted",
]
