"""The store's door for what is expected of events: tracking plans, quality by source, alerts."""

from amity.store.logic.plans.alerting import (
    acknowledge_alert,
    count_alerts,
    get_source_watch,
    judge_sources,
    list_alerts,
    watch_source,
)
from amity.store.logic.plans.files import (
    check_events,
    compare_plan_file,
    export_plans,
    import_plans,
)
from amity.store.logic.plans.pinning import (
    compare_plans,
    get_plan,
    infer_plan,
    list_plans,
    pin_plan,
    restore_plan,
    revise_plan,
    unpin_plan,
)
from amity.store.logic.plans.quality import (
    find_last_events,
    list_fill_rates,
    list_quality,
    list_quality_hours,
    picture_latest,
)
from amity.store.logic.plans.shapes import (
    get_shape,
    list_findings,
    list_shapes,
    watch_quality,
)
from amity.store.logic.plans.understanding import understand_event

__all__ = [
    "acknowledge_alert",
    "check_events",
    "compare_plan_file",
    "compare_plans",
    "count_alerts",
    "export_plans",
    "find_last_events",
    "get_plan",
    "get_shape",
    "get_source_watch",
    "import_plans",
    "infer_plan",
    "judge_sources",
    "list_alerts",
    "list_fill_rates",
    "list_findings",
    "list_plans",
    "list_quality",
    "list_quality_hours",
    "list_shapes",
    "picture_latest",
    "pin_plan",
    "restore_plan",
    "revise_plan",
    "understand_event",
    "unpin_plan",
    "watch_quality",
    "watch_source",
]
