"""The catalogue of metrics: one definition for all, versions, what changing one changes."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from amity.analysis import api as analysis
from amity.analysis import api_reports as reports
from amity.analysis.contracts_metrics import Counted, Where
from amity.analysis.logic.measuring.builtin import BUILT_IN
from amity.analysis.logic.measuring.computing import check_definition
from amity.analysis.logic.reporting.answering import answer
from amity.analysis.report import load_reports
from amity.analysis.reports.main_figures import MainFigures
from amity.infra import warehouse
from amity.infra.warehouse_writing import ensure_exports, export_all
from amity.kernel.errors import Conflict, Invalid, NotFound
from amity.store import api as store
from amity.testing.reports_kit import ASKED, complete, duckdb_engine, find
from amity.testing.reports_town import Town, expressions, random_town
from amity.web.warehousing import list_exports

NOW = datetime.now(UTC)
DAY = datetime(2026, 3, 2, tzinfo=UTC)
BIG = {
    "title": "Big orders",
    "definition": "Orders of 50 and more.",
    "unit": "orders",
    "expression": {
        "kind": "count",
        "base": "orders",
        "where": [{"column": "net_minor", "op": "at_least", "value": 5000}],
    },
}


def test_every_built_in_metric_can_be_computed_and_counts_by_hand():
    for name, definition in BUILT_IN.items():
        check_definition(name, definition, BUILT_IN)
    town = Town()
    for customer in (1, 2, 3):
        town.customer(customer)
    town.order(1, DAY, 3000, products=({"price": 30, "cost": 10},))
    town.order(1, DAY + timedelta(days=3), 1000, refunded_minor=400)
    town.order(2, DAY - timedelta(days=60), 500)
    town.order(1, DAY - timedelta(days=60), 500)
    town.send(1, DAY)
    town.event(1, "Email Link Clicked", DAY)
    town.event(2, "Unsubscribed", DAY)
    values = {figure.name: figure.value for figure in find(MainFigures, town).figures}
    assert values["orders"] == 2
    assert values["revenue"] == 3600
    assert values["margin"] == 2600
    assert values["average_order"] == 1800
    assert values["active_customers"] == 1
    assert values["new_customers"] == 0
    assert values["repeat_rate"] == 0.5
    assert values["churned_customers"] == 1
    assert values["response_rate"] == 1
    assert values["opt_outs"] == 1
    nothing = Town()
    nothing.customer(1)
    nothing.order(1, DAY - timedelta(days=200), 500)
    none = {figure.name: figure.value for figure in find(MainFigures, nothing).figures}
    assert (none["orders"], none["average_order"], none["repeat_rate"]) == (0, None, None)


def test_what_goods_cost_is_not_known_when_no_line_tells_it():
    town = Town()
    town.customer(1)
    town.order(1, DAY, 500, products=({"price": 5},))
    values = {figure.name: figure.value for figure in find(MainFigures, town).figures}
    assert (values["revenue"], values["goods_cost"], values["margin"]) == (500, None, None)


def _metrics_shown(run, facts):
    """Return by metric what each report shows of it, over the same window."""
    shown = {}
    for kind in load_reports():
        if kind.metrics or kind is MainFigures:
            found = answer(kind(), expressions(), complete(kind, ASKED, facts), run)
            for figure in found.figures:
                if figure.metric:
                    shown.setdefault(figure.metric, {})[kind.name] = figure
    return shown


def _own_definitions():
    """Return facts with definitions a company put in the place of some built-in ones."""
    gross = Counted(base="orders", what="sum", column="total_minor")
    large = Counted(base="orders", where=(Where(column="net_minor", op="at_least", value=3000),))
    own = {
        "revenue": msgspec.structs.replace(BUILT_IN["revenue"], expression=gross),
        "orders": msgspec.structs.replace(BUILT_IN["orders"], expression=large),
    }
    known = BUILT_IN | own
    return {"metrics": [{"name": name, "definition": one} for name, one in known.items()]}


def test_reports_that_show_the_same_metric_never_disagree():
    run = duckdb_engine(random_town(7, customers=25).tables())
    built_in, changed = _metrics_shown(run, {}), _metrics_shown(run, _own_definitions())
    several = {name: found for name, found in built_in.items() if len(found) > 1}
    assert several.keys() >= {"revenue", "orders", "revenue_per_customer", "repeat_rate"}
    for found in (built_in, changed):
        for name, by_report in found.items():
            values = {report: figure.value for report, figure in by_report.items()}
            wanted = pytest.approx(values["main_figures"])
            assert all(value == wanted for value in values.values()), (name, values)
    for name in ("revenue", "orders", "revenue_per_customer"):
        assert built_in[name]["main_figures"].value != changed[name]["main_figures"].value
        others = [one for report, one in changed[name].items() if report != "main_figures"]
        assert all(one.low is None for one in others), "nobody has worked out an interval for it"


def test_versions_are_kept_and_what_is_made_of_it_is_known(db):
    one = reports.save_metric(name="big_orders", definition=BIG, by="ann", now=NOW)
    assert one.version == 1
    share = {
        "title": "Share of big orders",
        "definition": "Big orders divided by orders.",
        "unit": "share",
        "expression": {"kind": "ratio", "of": "big_orders", "by": "orders"},
    }
    reports.save_metric(name="big_share", definition=share, by="ann", now=NOW)
    changed = BIG | {"title": "Large orders"}
    assert (
        reports.save_metric(name="big_orders", definition=changed, by="bob", now=NOW).version == 2
    )
    versions = reports.list_metric_versions(name="big_orders")
    assert [one.definition.title for one in versions] == ["Large orders", "Big orders"]
    uses = reports.find_metric_uses(name="big_orders")
    assert uses.metrics == ("big_share",)
    assert "Main figures" in uses.reports
    with pytest.raises(Conflict, match="big_share"):
        reports.save_metric(
            name="big_orders", definition=changed, by="bob", now=NOW, is_retired=True
        )
    reports.save_metric(name="big_share", definition=share, by="bob", now=NOW, is_retired=True)
    assert "big_share" not in [metric.name for metric in reports.list_metrics()]
    own = msgspec.to_builtins(BUILT_IN["orders"]) | {"title": "Our orders"}
    reports.save_metric(name="orders", definition=own, by="bob", now=NOW)
    assert reports.list_metrics()[0].definition.title == "Our orders"
    assert [one.version for one in reports.list_metric_versions(name="orders")] == [1, 0]
    with pytest.raises(NotFound):
        reports.list_metric_versions(name="nothing")


def test_what_cannot_be_computed_is_refused_with_the_reason(db):
    def expression(**more):
        return BIG | {"expression": more}

    circle = expression(kind="ratio", of="average_order", by="orders")
    for name, wrong, why in (
        ("revenue", circle, "revenue → average_order → revenue"),
        ("x", expression(kind="ratio", of="nothing", by="orders"), "no metric"),
        ("x", expression(kind="difference", of="revenue", less="orders"), "one unit"),
        ("x", expression(kind="count", base="orders", what="sum"), "names its column"),
        ("x", expression(kind="count", base="orders", what="sum", column="order_id"), "added up"),
        ("x", expression(kind="count", base="spells"), "cannot be read"),
        ("x", BIG | {"expression": {"kind": "sql"}}, "cannot be read"),
        ("Big Orders", BIG, "small letters"),
        (
            "x",
            expression(kind="count", base="orders", where=[{"column": "x", "value": 1}]),
            "looked at",
        ),
        (
            "x",
            expression(kind="count", base="events", where=[{"column": "name", "value": 1}]),
            "compared",
        ),
    ):
        with pytest.raises(Invalid, match=why):
            reports.save_metric(name=name, definition=wrong, by="ann", now=NOW)


def test_changing_one_shows_what_it_changes_before_it_is_saved(db):
    source_id = store.create_source(name="Shop", kind="server").source_id
    events = [
        {
            "type": "track",
            "event": "Order Completed",
            "userId": "ann",
            "timestamp": (NOW - timedelta(days=3)).isoformat(),
            "properties": {"order_id": f"o-{total}", "total": total},
        }
        for total in (20, 60, 80)
    ]
    raw = [msgspec.json.encode(event) for event in events]
    store.append_events(source_id=source_id, events=raw, now=NOW)
    while store.fold_batch().events:
        pass
    ensure_exports(list_exports())
    export_all(list_exports())
    often = {"node": "metric", "metric": "orders", "is": {"op": "gte", "value": 3}}
    small = {"node": "metric", "metric": "average_order", "is": {"op": "lt", "value": 60}}
    for name, rule in (("Often", often), ("Small", small)):
        analysis.create_segment(name=name, rule=rule, by="ann", now=NOW)
    while analysis.follow_batch(now=NOW).events:
        pass
    changed = msgspec.to_builtins(BUILT_IN["orders"]) | {"expression": BIG["expression"]}
    impact = reports.describe_metric_impact(name="orders", definition=changed, now=NOW)
    values = {name: (before, after) for name, before, after in impact.values}
    assert values["orders"] == (3, 2)
    assert values["average_order"] == (pytest.approx(16000 / 3), 8000)
    assert impact.uses.metrics == ("average_order",)
    assert impact.uses.segments == ("Often", "Small")
    moved = {one.name: (one.members, one.entering, one.leaving) for one in impact.segments}
    assert moved == {"Often": (1, 0, 1)}
    assert [refusal[:26] for refusal in impact.refusals] == ["The segment “Small” asks f"]
    assert "do not count the same orders" in impact.refusals[0]
    assert reports.list_metrics()[0].version == 0
    assert analysis.find_segment(name="Often").version == 1
    for path in sorted(warehouse.folder().rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
