"""SELECTs of a simulated world compiled once for each shape: the same few queries run thousands of times a seed.

A query's shape is all of it but the values it filters by. What is not plainly understood has no shape and is compiled
by Django each time; of the rest one in `PROVED_EVERY` is, too, and must come out the same.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from django.core.exceptions import EmptyResultSet, FullResultSet
from django.db.backends.postgresql.compiler import SQLCompiler
from django.db.models.expressions import Col, Value
from django.db.models.lookups import (
    Exact,
    GreaterThan,
    GreaterThanOrEqual,
    In,
    IsNull,
    LessThan,
    LessThanOrEqual,
)
from django.db.models.sql.query import Query
from django.db.models.sql.where import WhereNode

PROVED_EVERY: Final = 97
LOOKUPS: Final = (Exact, GreaterThan, GreaterThanOrEqual, In, LessThan, LessThanOrEqual)
#: attributes of a query that are part of its shape as they are
PLAIN: Final = (
    "default_cols",
    "default_ordering",
    "standard_ordering",
    "low_mark",
    "high_mark",
    "distinct",
    "distinct_fields",
    "select_for_update",
    "select_for_update_nowait",
    "select_for_update_skip_locked",
    "select_for_update_of",
    "select_for_no_key_update",
    "values_select",
    "deferred_loading",
    "order_by",
)
#: attributes that a query with a shape does not use
UNUSED: Final = (
    "group_by",
    "combinator",
    "explain_info",
    "subquery",
    "extra",
    "extra_tables",
    "extra_order_by",
    "external_aliases",
    "_filtered_relations",
)


class Unshaped(Exception):
    """This query is not one of the plain kind."""


@dataclass(slots=True)
class Compiled:
    """A shape's SQL, and what rows are made with. `first` are the parameters before those of the filters."""

    sql: str
    first: tuple[Any, ...]
    select: Any
    klass_info: Any
    annotation_col_map: Any
    converters: Any = None
    uses: int = 0


_remembered: dict[tuple[Any, ...], Compiled] = {}
_compile = SQLCompiler.as_sql


@contextmanager
def remembered() -> Iterator[None]:
    """Inside, shapes are compiled once."""
    SQLCompiler.as_sql = _as_sql  # type: ignore[method-assign]  # for the run of a world
    try:
        yield
    finally:
        SQLCompiler.as_sql = _compile  # type: ignore[method-assign]  # as it was


def _as_sql(
    self: Any, with_limits: bool = True, with_col_aliases: bool = False
) -> tuple[str, tuple[Any, ...]]:
    plain = type(self) is SQLCompiler and with_limits and not with_col_aliases
    needs_transaction = self.query.select_for_update and self.connection.get_autocommit()
    if not plain or needs_transaction:
        return _compile(self, with_limits, with_col_aliases)
    try:
        shape, values = _shape_of(self)
    except (Unshaped, EmptyResultSet, FullResultSet):
        return _compile(self)
    found = _remembered.get(shape)
    if found is None:
        return _learn(self, shape, values)
    found.uses += 1
    params = (*found.first, *values)
    if found.uses % PROVED_EVERY == 0 and _compile(self) != (found.sql, params):
        raise RuntimeError(f"a remembered query is not the one asked for: {found.sql}")
    self.select, self.klass_info = found.select, found.klass_info
    self.annotation_col_map, self.has_extra_select = found.annotation_col_map, False
    self.col_count = len(found.select)
    self.get_converters = _converters_of(self, found)
    return found.sql, params


def _learn(compiler: Any, shape: tuple[Any, ...], values: list[Any]) -> tuple[str, tuple[Any, ...]]:
    sql, params = _compile(compiler)
    head = len(params) - len(values)
    if head >= 0 and list(params[head:]) == values and not compiler.has_extra_select:
        _remembered[shape] = Compiled(
            sql, params[:head], compiler.select, compiler.klass_info, compiler.annotation_col_map
        )
    return sql, params


def _converters_of(compiler: Any, found: Compiled) -> Callable[[Any], Any]:
    def converters(expressions: Any) -> Any:
        if found.converters is None:
            found.converters = SQLCompiler.get_converters(compiler, expressions)
        return found.converters

    return converters


def _shape_of(compiler: Any) -> tuple[tuple[Any, ...], list[Any]]:
    """The shape and the values its filters compare with, in their order. Raises Unshaped."""
    query = compiler.query
    if type(query) is not Query or any(getattr(query, name) for name in UNUSED):
        raise Unshaped
    if not all(isinstance(name, str) for name in query.order_by):
        raise Unshaped
    values: list[Any] = []
    mask, selected = query.annotation_select_mask, query.selected
    shape = (
        query.model,
        tuple(getattr(query, name) for name in PLAIN),
        tuple(_column(one) for one in query.select),
        tuple((name, _constant(one)) for name, one in query.annotations.items()),
        None if mask is None else frozenset(mask),
        None if selected is None else tuple(selected.items()),
        _nested(query.select_related),
        tuple(_joined(query, alias) for alias in query.alias_map),
        _filters(query.where, compiler, values),
    )
    return shape, values


def _column(one: Any) -> tuple[Any, ...]:
    if type(one) is not Col:
        raise Unshaped
    return one.alias, id(one.target), id(one.output_field)


def _constant(one: Any) -> tuple[type, Any]:
    """An annotation: only numbers, as `exists` adds one."""
    if type(one) is not Value or type(one.value) is not int:
        raise Unshaped
    return type(one), one.value


def _nested(related: Any) -> Any:
    return (
        tuple((name, _nested(deeper)) for name, deeper in related.items())
        if related and related is not True
        else bool(related)
    )


def _joined(query: Query, alias: str) -> tuple[Any, ...]:
    join = query.alias_map[alias]
    return (
        alias,
        query.alias_refcount[alias] > 0,
        join.join_type,
        join.parent_alias,
        id(getattr(join, "join_field", None)),
    )


def _filters(node: WhereNode, compiler: Any, values: list[Any]) -> tuple[Any, ...]:
    found: list[Any] = [node.connector, node.negated]
    for child in node.children:
        if type(child) is WhereNode:
            found.append(_filters(child, compiler, values))
        elif isinstance(child, IsNull):
            found.append((type(child), _column(child.lhs), child.rhs))
        elif isinstance(child, LOOKUPS) and _is_plain(child.rhs):
            sql, params = child.process_rhs(compiler, compiler.connection)
            values += params
            found.append((type(child), _column(child.lhs), sql))
        else:
            raise Unshaped
    return tuple(found)


def _is_plain(rhs: Any) -> bool:
    """A value, or several, and neither an expression nor a truth, which Django writes without a parameter."""
    if isinstance(rhs, list | tuple | set | frozenset):
        return not any(hasattr(one, "as_sql") for one in rhs)
    return not isinstance(rhs, bool) and not hasattr(rhs, "as_sql")
