"""Orders: one row an order, or one row a line of it, becomes an `Order Completed`."""

from collections.abc import Sequence
from typing import Any, ClassVar

from amity.store.connector import CONNECTORS, BadRow, Connector, Field, Row, digest
from amity.store.logic.importing.values import (
    plain_number,
    read_amount,
    read_extras,
    read_instant,
    read_quantity,
)

_PRODUCT_TEXTS = {
    "product_id": "product_id",
    "sku": "sku",
    "product_name": "name",
    "category": "category",
    "brand": "brand",
    "variant": "variant",
}
# What is said of the whole order: every line of it must say the same, or nothing.
_WHOLE = ("user_id", "email", "ordered_at", "currency", "total", "coupon", "shipping", "tax")
_AMOUNTS = ("shipping", "tax")


@CONNECTORS.register("orders")
class Orders(Connector):
    """Orders or order lines. Lines with the same order id are one order, wherever they stand."""

    name: ClassVar[str] = "orders"
    title: ClassVar[str] = "Orders"
    description: ClassVar[str] = (
        "One row an order, or one row a line of an order. An order whose lines do not all make "
        "sense is left out as a whole, so that no total is false."
    )
    extras: ClassVar[str] = "property"
    group_by: ClassVar[str | None] = "order_id"
    one_of: ClassVar[tuple[tuple[str, ...], ...]] = (("user_id", "email"), ("total", "price"))
    fields: ClassVar[tuple[Field, ...]] = (
        Field(
            name="order_id",
            label="Order id",
            aliases=("order", "order no", "order number", "basket id", "invoice", "invoice no"),
            required=True,
            help="An order that was imported before is not imported again.",
        ),
        Field(
            name="user_id",
            label="Customer id",
            aliases=(
                "customer",
                "userid",
                "customer no",
                "customer number",
                "card",
                "card number",
                "household id",
                "member id",
            ),
            help="Your own id of the customer.",
        ),
        Field(name="email", label="E-mail", aliases=("email address", "customer email")),
        Field(
            name="ordered_at",
            label="Ordered at",
            aliases=(
                "order date",
                "date",
                "created at",
                "time",
                "timestamp",
                "invoice date",
                "transaction timestamp",
                "completed at",
            ),
            required=True,
        ),
        Field(name="total", label="Total", aliases=("order total", "amount", "grand total")),
        Field(
            name="currency",
            label="Currency",
            aliases=("currency code",),
            help="Three letters. Without it, the installation's currency.",
        ),
        Field(name="product_id", label="Product id", aliases=("product", "item id", "stock code")),
        Field(name="sku", label="SKU"),
        Field(
            name="product_name",
            label="Product",
            aliases=("item", "description", "item name", "lineitem name"),
        ),
        Field(name="category", label="Category", aliases=("product category",)),
        Field(name="brand", label="Brand"),
        Field(name="variant", label="Variant"),
        Field(name="quantity", label="Quantity", aliases=("qty", "units", "lineitem quantity")),
        Field(
            name="price",
            label="Unit price",
            aliases=("price each", "item price", "lineitem price"),
            help="Of one unit. Without a total column the total is the sum of price × quantity "
            "less the discounts.",
        ),
        Field(name="discount", label="Discount", aliases=("line discount",), help="Of the line."),
        Field(name="coupon", label="Coupon", aliases=("coupon code", "discount code")),
        Field(name="shipping", label="Shipping", aliases=("shipping cost", "delivery")),
        Field(name="tax", label="Tax", aliases=("taxes", "vat")),
    )
    sample: ClassVar[str] = (
        "Order id;Customer id;Ordered at;Product;Quantity;Unit price;Store\n"
        "o-1;c-1;2026-01-03 10:15;Tea;2;3.50;Ghent\n"
        "o-1;c-1;2026-01-03 10:15;Cup;1;9.00;Ghent\n"
        "o-2;c-2;2026-01-04 18:40;Tea;1;3.50;Paris\n"
    )

    def make_events(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        whole = {field: _one_value(rows, field) for field in _WHOLE}
        first = whole["ordered_at"] or rows[0]
        ordered_at = read_instant(first, "ordered_at")
        if ordered_at is None:
            raise BadRow(rows[0].number, "it does not say when the order was placed")
        order_id = rows[0].find("order_id")
        if not order_id:
            raise BadRow(rows[0].number, "the order id is empty")
        properties: dict[str, Any] = {"order_id": order_id}
        properties |= self._money(rows, whole)
        for field in _AMOUNTS:
            if (row := whole[field]) and (amount := read_amount(row, field)) is not None:
                properties[field] = plain_number(amount)
        if coupon := whole["coupon"]:
            properties["coupon"] = coupon.find("coupon")
        common, own = _split_extras(rows)
        products = [_product(row) for row in rows]
        if any(products):
            properties["products"] = [
                extras | product for extras, product in zip(own, products, strict=True)
            ]
        properties = common | properties
        event = {"type": "track", "event": "Order Completed", "timestamp": ordered_at}
        return [event | _customer(rows, whole) | {"properties": properties}]

    def identify(self, event: dict[str, Any]) -> str:
        """An order is the same by its id: the same id with other content is a conflict."""
        return str(event["properties"]["order_id"])

    def _money(self, rows: Sequence[Row], whole: dict[str, Row | None]) -> dict[str, Any]:
        said = whole["currency"]
        currency = said.find("currency").upper() if said else self.currency
        if len(currency) != 3 or not (currency.isascii() and currency.isalpha()):
            raise BadRow(rows[0].number, f"{currency!r} is not a currency of three letters")
        discount = sum(read_amount(row, "discount") or 0.0 for row in rows)
        if row := whole["total"]:
            total = read_amount(row, "total") or 0.0
        else:
            total = sum(_line_total(row) for row in rows) - discount
        money: dict[str, Any] = {"total": plain_number(round(total, 4)), "currency": currency}
        if discount:
            money["discount"] = plain_number(round(discount, 4))
        return money


def _split_extras(rows: Sequence[Row]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the free columns that all lines agree on, and for each line those they do not."""
    each = [read_extras(row, "property") for row in rows]
    common = {
        name: value
        for name, value in each[0].items()
        if all(extras.get(name) == value for extras in each)
    }
    own = [{name: value for name, value in extras.items() if name not in common} for extras in each]
    return common, own


def _one_value(rows: Sequence[Row], field: str) -> Row | None:
    """Return the first row that fills ``field``; refuse rows of one order that differ in it."""
    filled = [row for row in rows if field in row.cells]
    for row in filled[1:]:
        if row.cells[field] != filled[0].cells[field]:
            reason = (
                f"{field!r} is {row.cells[field]!r} here and {filled[0].cells[field]!r} in row "
                f"{filled[0].number} of the same order"
            )
            raise BadRow(row.number, reason)
    return filled[0] if filled else None


def _line_total(row: Row) -> float:
    price = read_amount(row, "price")
    if price is None:
        raise BadRow(row.number, "it has neither a total nor a price")
    quantity = read_quantity(row, "quantity")
    return price * (1.0 if quantity is None else quantity)


def _product(row: Row) -> dict[str, Any]:
    product: dict[str, Any] = {
        key: row.cells[field] for field, key in _PRODUCT_TEXTS.items() if field in row.cells
    }
    if (price := read_amount(row, "price")) is not None:
        product["price"] = plain_number(price)
    if product:
        quantity = read_quantity(row, "quantity")
        product["quantity"] = 1 if quantity is None else plain_number(quantity)
    return product


def _customer(rows: Sequence[Row], whole: dict[str, Row | None]) -> dict[str, Any]:
    email = whole["email"].find("email") if whole["email"] else ""
    event: dict[str, Any] = {}
    if whole["user_id"]:
        event["userId"] = whole["user_id"].find("user_id")
    elif email:
        event["anonymousId"] = f"import-{digest(email.lower())}"
    else:
        raise BadRow(rows[0].number, "it names nobody: customer id and e-mail are both empty")
    if email:
        event["context"] = {"traits": {"email": email}}
    return event
