"""What this engine forgets by its age, as rules of retention say."""

from amity.store.api_retention import RowSweep, Sweep


def sweeps() -> list[Sweep]:
    """Return this engine's ways of forgetting."""
    return [
        RowSweep(
            "work",
            ("analysis_work", "ended_at"),
            words=(
                "Long work that gave nothing",
                "What was stopped or failed is deleted, with who asked for it.",
                "Whoever asked sees why there is no answer.",
            ),
            where="wanted_at IS NULL",
        ),
        RowSweep(
            "row_lists",
            ("analysis_row_list", "computed_at"),
            words=(
                "Customers behind rows of reports",
                "Lists that were made when somebody opened a row are deleted.",
                "Whoever opened a row turns its pages and makes a segment of it.",
            ),
        ),
    ]
