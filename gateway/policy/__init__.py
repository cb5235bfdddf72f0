"""What they may do: strict reader, compiled index, decide and explain."""

from gateway.policy.explain import Explanation
from gateway.policy.file import PolicyFile, read_policy
from gateway.policy.index import PolicyIndex, compile_policy
from gateway.policy.model import read_model
from gateway.policy.oracle import Difference, compare_with_casbin

__all__ = [
    "Difference",
    "Explanation",
    "PolicyFile",
    "PolicyIndex",
    "compare_with_casbin",
    "compile_policy",
    "read_model",
    "read_policy",
]
