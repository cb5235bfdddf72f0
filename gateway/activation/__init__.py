"""Which policy is live, and how another one gets there: at the start, from files, or because two people agreed."""

from gateway.activation.keeping import Keeper, open_live
from gateway.activation.people import Policies, Proposed
from gateway.activation.release import Release
from gateway.documents.policies import Activation

__all__ = ["Activation", "Keeper", "Policies", "Proposed", "Release", "open_live"]
