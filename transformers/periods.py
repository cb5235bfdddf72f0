"""Company functions: what a row cannot say. Each takes one value and gives one back; rows call it by name."""

from gateway.mapping import Wrong


def month_to_erp(month: str) -> str:
    """``2026-09`` as ``202609``."""
    year, _, number = month.partition("-")
    return year + number


def month_from_erp(period: str) -> str:
    """``202609`` as ``2026-09``."""
    if len(period) != 6:
        raise Wrong("is no period of six digits")
    return f"{period[:4]}-{period[4:]}"
