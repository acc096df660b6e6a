"""Books read every few seconds all day, of which hardly a row changes: only what changed is translated."""

from collections.abc import Callable, Iterable
from datetime import date
from typing import Generic, TypeVar

from trading.broker.kite.parse import Row
from trading.core.values import FillReport, OrderReport

Report = TypeVar("Report", OrderReport, FillReport)
ReadRows = Callable[[Iterable[Row], date], tuple[list[Report], list[str]]]


class Book(Generic[Report]):
    """The order book or the trade book as last read. A row equal to the one before gives the value it gave.

    `read_rows` is `parse.order_reports` or `parse.fill_reports`, `id_field` the row's own id. Rows are kept,
    so they must not be changed by whoever made them.
    """

    def __init__(self, read_rows: ReadRows[Report], id_field: str) -> None:
        self._read_rows: ReadRows[Report] = read_rows
        self._id_field = id_field
        self._date: date | None = None
        self._known: dict[str, tuple[Row, Report]] = {}

    def read(self, rows: Iterable[Row], trading_date: date) -> tuple[list[Report], list[str]]:
        """The reports in the order of the rows, and a sentence for each row that could not be read."""
        if trading_date != self._date:
            self._date = trading_date
            self._known.clear()
        reports: list[Report] = []
        problems: list[str] = []
        for row in rows:
            row_id = str(row.get(self._id_field))
            known = self._known.get(row_id)
            if known is not None and known[0] == row:
                reports.append(known[1])
                continue
            read, troubles = self._read_rows([row], trading_date)
            reports += read
            problems += troubles
            if read and not troubles:
                self._known[row_id] = (row, read[0])
        return reports, problems
