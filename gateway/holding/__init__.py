"""Documents and approvals brought together: asking people, reading what they said, and looking once more before a document goes.

Below the stages, which hold, and the worker, which releases; what people themselves do is in ``gateway.desk``.
"""

from gateway.holding.asking import REASONS, Asking, admit
from gateway.holding.ballot import Ballot, Cast, ballots, intact, value_of
from gateway.holding.recheck import OBJECTIONS, Objection, Recheck, Rules, Sends, recheck

__all__ = [
    "OBJECTIONS",
    "REASONS",
    "Asking",
    "Ballot",
    "Cast",
    "Objection",
    "Recheck",
    "Rules",
    "Sends",
    "admit",
    "ballots",
    "intact",
    "recheck",
    "value_of",
]
