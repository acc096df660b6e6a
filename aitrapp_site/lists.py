"""What every list of the console can do, over a million rows too: pages, dates, search, filters, and leaving as CSV.

None of it may read a whole table: no list counts to the end, nothing is searched or dated that no index answers.
"""

import csv
import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from asgiref.sync import sync_to_async
from django.contrib.admin import ShowFacets, SimpleListFilter
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import BadRequest, PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Max, Min, Model, Q, QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.functional import cached_property
from unfold.admin import ModelAdmin
from unfold.views import ChangeList

from trading.core.session import IST

#: counting a million rows takes longer than reading fifty
COUNTED: Final = 10_000
#: rows of a CSV file that are in memory at once
ROWS_AT_ONCE: Final = 1000
#: a spreadsheet takes a text that begins so for a formula
BEGINS_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


class FirstPages(Paginator):  # type: ignore[type-arg]  # generic only in the stubs
    """The first COUNTED rows as pages, and whether there are more. Others are found by date or search, or exported."""

    template_name = "admin/first_pages.html"

    @cached_property
    def _seen(self) -> int:
        rows: QuerySet[Any] = self.object_list  # type: ignore[assignment]  # the admin pages no lists
        return rows.order_by()[: COUNTED + 1].count()

    @property
    def count(self) -> int:
        return min(self._seen, COUNTED)

    @property
    def has_more(self) -> bool:
        return self._seen > COUNTED


class QuickList(ChangeList):  # type: ignore[misc]  # unfold ships no types
    """A list that offers all dates between the table's first and last row, whatever else is filtered.

    Django offers those that occur, for which the database reads every row.
    """

    def get_queryset(self, *args: Any, **options: Any) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(*args, **options)
        if self.date_hierarchy:
            # What the template tag asks, of this very object.
            dates = Dates(self.root_queryset, self.date_hierarchy, self.params)
            for name in ("aggregate", "dates", "datetimes"):
                setattr(rows, name, getattr(dates, name))
        return rows

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        if not self.result_count:
            # Looking for nothing once is enough.
            self.result_list = self.queryset.none()


class Dates:
    """The days, months and years of a table's rows, as Django's date hierarchy asks for them."""

    def __init__(self, rows: QuerySet[Any], field: str, params: Mapping[str, Any]) -> None:
        self._rows, self._field, self._params = rows.order_by(), field, params

    @cached_property
    def _ends(self) -> dict[str, Any]:
        return self._rows.aggregate(first=Min(self._field), last=Max(self._field))

    def aggregate(self, **_ends: Any) -> dict[str, Any]:
        """The first and the last moment."""
        return self._ends

    def dates(self, _field: str, kind: str) -> list[date]:
        """The first day of each "year" or "month", or each "day", that is chosen from."""
        if self._ends["first"] is None:
            return []
        first, last = (_day_of(self._ends[name]) for name in ("first", "last"))
        if year := self._params.get(f"{self._field}__year"):
            month = self._params.get(f"{self._field}__month")
            first, last = clipped(first, last, int(year), int(month) if month else None)
        return dates_between(first, last, kind)

    datetimes = dates


def _day_of(moment: date) -> date:
    return moment.astimezone(IST).date() if isinstance(moment, datetime) else moment


def clipped(first: date, last: date, year: int, month: int | None) -> tuple[date, date]:
    """The part of a span that lies in a year, or in a month of it."""
    begins = date(year, month or 1, 1)
    ends = date(year + (month or 12) // 12, (month or 12) % 12 + 1, 1) - timedelta(days=1)
    return max(first, begins), min(last, ends)


def dates_between(first: date, last: date, kind: str) -> list[date]:
    """The first day of each "year" or "month", or each "day", from one day to another."""
    if kind == "year":
        return [date(year, 1, 1) for year in range(first.year, last.year + 1)]
    if kind == "month":
        months = range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
        return [date(month // 12, month % 12 + 1, 1) for month in months]
    return [date.fromordinal(day) for day in range(first.toordinal(), last.toordinal() + 1)]


def begins_with(fields: Iterable[str], words: str) -> Q:
    """Rows in which one of the fields begins with these words, as typed or in capitals: an index answers that."""
    found = Q()
    for field in fields:
        for typed in {words, words.upper()}:
            found |= Q(**{field: typed})
    return found


def among(field: str, heading: str, values: Callable[[], Iterable[str]]) -> type[SimpleListFilter]:
    """A filter by a column whose values are known otherwise: Django would read the table for them."""

    class Among(SimpleListFilter):
        title = heading
        parameter_name = f"{field}__exact"

        def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
            return [(value, value) for value in values()]

        def queryset(self, request: HttpRequest, queryset: QuerySet[Model]) -> QuerySet[Model]:
            return queryset.filter(**{field: self.value()}) if self.value() else queryset

    return Among


class LongList(ModelAdmin):  # type: ignore[misc]  # unfold ships no types
    """An admin whose list stays quick however long it is, and leaves as CSV."""

    show_full_result_count = False
    #: They would count the table once for each choice of each filter.
    show_facets = ShowFacets.NEVER
    paginator = FirstPages
    list_per_page = 50
    list_before_template = "admin/export_link.html"

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[QuickList]:
        return QuickList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Where every field is searched from its beginning, the words are one beginning; else as Django does it."""
        fields = self.get_search_fields(request)
        if search_term and all(field.endswith("__startswith") for field in fields):
            return queryset.filter(begins_with(fields, search_term.strip())), False
        found: tuple[QuerySet[Any], bool] = super().get_search_results(request, queryset, search_term)
        return found

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.export)
        return [path("export/", view, name=self._export_name), *super().get_urls()]

    @property
    def _export_name(self) -> str:
        return f"{self.model._meta.app_label}_{self.model._meta.model_name}_export"

    @property
    def export_address(self) -> str:
        return reverse(f"admin:{self._export_name}")

    def export(self, request: HttpRequest) -> StreamingHttpResponse:
        """The list as it is filtered, searched and ordered, with the columns of a row's own page."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        shown = getattr(self, "fields", None)
        columns = [
            field.attname
            for field in self.model._meta.concrete_fields
            if field.primary_key or shown is None or field.name in shown
        ]
        try:
            rows = self.get_changelist_instance(request).queryset
        except IncorrectLookupParameters as error:
            raise BadRequest("This filter means nothing here: open the list and choose again.") from error
        return csv_answer(str(self.model._meta.model_name), columns, rows)


def csv_answer(name: str, columns: Sequence[str], rows: QuerySet[Any]) -> StreamingHttpResponse:
    """These columns of the rows as a CSV file, streamed: memory does not grow with the rows."""
    plain = rows.select_related(None).prefetch_related(None).values_list(*columns)
    answer = StreamingHttpResponse(_blocks(columns, plain), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return answer


async def _blocks(columns: Sequence[str], rows: QuerySet[Any]) -> AsyncIterator[str]:
    """Asynchronous, as ASGI reads a synchronous iterator to its end before it sends anything."""
    lines = csv_lines(columns, rows.iterator(chunk_size=ROWS_AT_ONCE))
    try:
        while block := await sync_to_async(_next_block)(lines):
            yield block
    finally:
        # Also where the browser went away: the database keeps a cursor open until then.
        await sync_to_async(lines.close)()  # type: ignore[attr-defined]  # a generator's


def _next_block(lines: Iterator[str]) -> str:
    return "".join(line for _, line in zip(range(ROWS_AT_ONCE), lines, strict=False))


class _Echo:
    """A file whose `write` hands back what it was given."""

    def write(self, text: str) -> str:
        return text


def csv_lines(columns: Sequence[str], rows: Iterator[Sequence[Any]]) -> Iterator[str]:
    """The head, then a line for each row."""
    writer = csv.writer(_Echo())
    yield writer.writerow(columns)
    for row in rows:
        yield writer.writerow([csv_cell(value) for value in row])


def csv_cell(value: Any) -> str:
    """Numbers as numbers, times in ISO with their zone (IST), JSON as JSON; no text that a spreadsheet would run."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | Decimal):
        return str(value)
    if isinstance(value, datetime):
        return value.astimezone(IST).isoformat()
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
    return f"'{text}" if text.startswith(BEGINS_FORMULA) else text
