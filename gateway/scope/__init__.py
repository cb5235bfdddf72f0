"""What of an operation a caller may see and touch: fields, records, and when and from where. Pure: no I/O, no clock."""

from gateway.scope.conditions import Context
from gateway.scope.fields import Fields, Path, parse_field
from gateway.scope.records import Place, Records, Who
from gateway.scope.scope import EVERYTHING, Scope

__all__ = ["EVERYTHING", "Context", "Fields", "Path", "Place", "Records", "Scope", "Who", "parse_field"]
