"""Dual approval, pure: which documents wait, for whom, until when, and whether enough people agreed."""

from gateway.approvals.calendar import Calendar
from gateway.approvals.check import check_eligible, check_operations
from gateway.approvals.compare import account_key, person_key
from gateway.approvals.facts import Facts, Line, facts_of, manifest, manifest_hash, payload_hash
from gateway.approvals.file import Approvals, ApprovalsFile, Rule, read_approvals
from gateway.approvals.quorum import Delegation, Hold, Quorum, Refusal, Vote, may_vote
from gateway.approvals.rules import Reason, Sibling, evaluate, from_json, to_json

__all__ = [
    "Approvals",
    "ApprovalsFile",
    "Calendar",
    "Delegation",
    "Facts",
    "Hold",
    "Line",
    "Quorum",
    "Reason",
    "Refusal",
    "Rule",
    "Sibling",
    "Vote",
    "account_key",
    "check_eligible",
    "check_operations",
    "evaluate",
    "facts_of",
    "from_json",
    "manifest",
    "manifest_hash",
    "may_vote",
    "payload_hash",
    "person_key",
    "read_approvals",
    "to_json",
]
