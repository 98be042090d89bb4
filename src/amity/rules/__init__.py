"""The rule language: one rule, three faces (memory, SQL, words)."""

from amity.rules.codec import MAX_DEPTH, MAX_NODES, decode_rule, encode_rule
from amity.rules.condition import Condition, conditions, walk
from amity.rules.conditions.all_ import All
from amity.rules.conditions.any_ import Any_
from amity.rules.conditions.bucket import InBucket
from amity.rules.conditions.check import Check
from amity.rules.conditions.consent import HasConsent
from amity.rules.conditions.did import Did
from amity.rules.conditions.in_segment import InSegment
from amity.rules.conditions.not_ import Not
from amity.rules.conditions.said_yes import SaidYes
from amity.rules.conditions.score import HasScore
from amity.rules.faces import Explanation, Matcher, compile_rule, explain, to_sql
from amity.rules.filling import fill_rule, strip_filled
from amity.rules.fragment import Fragment, sql
from amity.rules.index import RuleIndex
from amity.rules.mentions import Look, Mentions, join_looks, join_mentions, longer
from amity.rules.operator import (
    Operator,
    OperatorWords,
    Parameter,
    Value,
    column_value,
    json_value,
    list_operators,
)
from amity.rules.rule import Rule, iter_conditions, mentions
from amity.rules.selection import ActivityTable, Catalogue, OrderTable, ScoreTable, name_orders
from amity.rules.subject import (
    FIELD_LABELS,
    ORDER_COLUMNS,
    PROFILE_FIELDS,
    Group,
    PlacedOrder,
    Rating,
    Subject,
    Window,
)
from amity.rules.sway import Sway
from amity.rules.where import Where

__all__ = [
    "FIELD_LABELS",
    "MAX_DEPTH",
    "MAX_NODES",
    "ORDER_COLUMNS",
    "PROFILE_FIELDS",
    "ActivityTable",
    "All",
    "Any_",
    "Catalogue",
    "Check",
    "Condition",
    "Did",
    "Explanation",
    "Fragment",
    "Group",
    "HasConsent",
    "HasScore",
    "InBucket",
    "InSegment",
    "Look",
    "Matcher",
    "Mentions",
    "Not",
    "Operator",
    "OperatorWords",
    "OrderTable",
    "Parameter",
    "PlacedOrder",
    "Rating",
    "Rule",
    "RuleIndex",
    "SaidYes",
    "ScoreTable",
    "Subject",
    "Sway",
    "Value",
    "Where",
    "Window",
    "column_value",
    "compile_rule",
    "conditions",
    "decode_rule",
    "encode_rule",
    "explain",
    "fill_rule",
    "iter_conditions",
    "join_looks",
    "join_mentions",
    "json_value",
    "list_operators",
    "longer",
    "mentions",
    "name_orders",
    "sql",
    "strip_filled",
    "to_sql",
    "walk",
]
