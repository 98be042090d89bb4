"""The rule language: one rule, three faces (memory, SQL, words)."""

from amity.rules.codec import MAX_DEPTH, MAX_NODES, decode_rule, encode_rule
from amity.rules.expr import (
    All,
    Any_,
    Check,
    Did,
    HasConsent,
    InSegment,
    Not,
    Rule,
    SaidYes,
    Where,
    walk,
)
from amity.rules.faces import (
    Explanation,
    Look,
    Matcher,
    Mentions,
    compile_rule,
    explain,
    join_looks,
    mentions,
    to_sql,
)
from amity.rules.fragment import Fragment, sql
from amity.rules.index import RuleIndex
from amity.rules.operator import (
    Operator,
    OperatorWords,
    Parameter,
    Value,
    column_value,
    json_value,
    list_operators,
)
from amity.rules.selection import ActivityTable, Catalogue
from amity.rules.subject import FIELD_LABELS, PROFILE_FIELDS, Subject, Window

__all__ = [
    "FIELD_LABELS",
    "MAX_DEPTH",
    "MAX_NODES",
    "PROFILE_FIELDS",
    "ActivityTable",
    "All",
    "Any_",
    "Catalogue",
    "Check",
    "Did",
    "Explanation",
    "Fragment",
    "HasConsent",
    "InSegment",
    "Look",
    "Matcher",
    "Mentions",
    "Not",
    "Operator",
    "OperatorWords",
    "Parameter",
    "Rule",
    "RuleIndex",
    "SaidYes",
    "Subject",
    "Value",
    "Where",
    "Window",
    "column_value",
    "compile_rule",
    "decode_rule",
    "encode_rule",
    "explain",
    "join_looks",
    "json_value",
    "list_operators",
    "mentions",
    "sql",
    "to_sql",
    "walk",
]
