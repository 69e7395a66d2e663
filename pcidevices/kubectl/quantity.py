"""Quantities as Kubernetes writes them: ``2000`` devices are ``2k`` on a Node. Pure."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation


_FACTORS = {
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate(("", "k", "M", "G", "T", "P", "E"))},
    **{suffix: Decimal(1024) ** power for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1)},
    **{suffix: Decimal(1000) ** -power for power, suffix in enumerate(("m", "u", "n"), 1)},
}


def count(quantity: object) -> int | None:
    """How many whole things that is; None for what is no quantity."""
    text = str(quantity)
    suffix = text.lstrip("+-.0123456789")
    factor = _FACTORS.get(suffix)
    try:
        amount = Decimal(text if factor is None else text.removesuffix(suffix))
    except InvalidOperation:
        return None
    return int(amount * (factor or 1)) if amount.is_finite() else None
