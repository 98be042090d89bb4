"""The reference page of reports: what each answers and how its numbers are counted."""

from typing import TYPE_CHECKING, Final

from amity.cli.markdown import table

if TYPE_CHECKING:
    from amity.analysis.contracts_reports import Parameter, ReportWords

_INTRO: Final = """# Reports

What each report answers, how its numbers are counted, and what it can be asked with beside the
days, the segment and the currency. [How to ask one](../how-to/reports.md); where a method has
assumptions and sources, the page of the [algorithm](../algorithms) says them."""
_LOOKS: Final = {True: "Rows open to their customers.", False: "Rows do not open to customers."}


def make_reports_page() -> str:
    """Return the page of reports, by title."""
    from amity.analysis import api_reports

    return "\n\n".join([_INTRO, *(_report(words) for words in api_reports.describe_reports())])


def _report(words: "ReportWords") -> str:
    parts = [
        f"## {words.title}",
        f"`{words.name}`. {words.question}",
        f"**How it is counted.** {words.definition}",
        _LOOKS[words.can_drill],
    ]
    if words.parameters:
        rows = [_parameter(each) for each in words.parameters]
        parts.append(table(("Parameter", "What it is", "Usually"), rows))
    return "\n\n".join(parts)


def _parameter(parameter: "Parameter") -> tuple[str, str, str]:
    said = [part for part in (parameter.title, parameter.help) if part]
    if parameter.choices:
        said.append(", ".join(f"`{value}` ({words})" for value, words in parameter.choices))
    usually = f"`{parameter.default}`" if parameter.default != "" else "–"
    return f"`{parameter.name}`", ": ".join(said).replace("|", "\\|"), usually
