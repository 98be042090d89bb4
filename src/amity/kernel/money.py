"""Money as integer minor units beside a currency code."""

from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation

# ISO 4217 currencies whose minor unit is not a hundredth.
_EXPONENTS = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF"), 0),
    **dict.fromkeys(("UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}


def exponent_of(currency: str) -> int:
    """Return the number of decimal places of a currency (ISO 4217)."""
    return _EXPONENTS.get(currency, 2)


def to_minor(amount: object, currency: str) -> int | None:
    """Turn an amount in major units (a number or its text) into minor units, half to even.

    None when the amount is not a finite number or would not fit in 64 bits.
    """
    if isinstance(amount, bool) or not isinstance(amount, int | float | str):
        return None
    try:
        minor = Decimal(str(amount)).scaleb(exponent_of(currency))
        whole = int(minor.to_integral_value(ROUND_HALF_EVEN))
    except (InvalidOperation, OverflowError, ValueError):
        return None
    return whole if -(2**63) <= whole < 2**63 else None


def format_minor(minor: int, currency: str) -> str:
    """Write minor units for people: `1,204.50 USD`."""
    places = exponent_of(currency)
    return f"{Decimal(minor).scaleb(-places):,.{places}f} {currency}"
