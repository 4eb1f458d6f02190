"""Formulas over series, such as `A / B * 100`: sums, differences, products and ratios of letters and numbers."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal, DivisionByZero, InvalidOperation, Overflow

LONGEST = 200
_CHARACTERS = re.compile(r"[A-Z0-9.+*/() -]*").fullmatch
_LARGEST = Decimal(10) ** 300
_OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_RULE = "write a formula of the series' letters, numbers, + - * / and brackets, such as A / B * 100"


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula that has been read."""

    text: str
    tree: ast.expr

    @classmethod
    def parse(cls, text: str, letters: str) -> Formula:
        """Raises ValueError with a sentence when it is none over these letters."""
        tree = None
        if len(text) <= LONGEST and _CHARACTERS(text):
            with suppress(SyntaxError, RecursionError, MemoryError):
                tree = ast.parse(text.strip(), mode="eval").body
        if tree is None:
            raise ValueError(f"{_RULE}; at most {LONGEST} characters")
        formula = cls(text, tree)
        for name in formula._names(tree):
            if name not in list(letters):
                raise ValueError(f"there is no series {name!r}; use {', '.join(letters)}")
        return formula

    def _names(self, node: ast.expr) -> list[str]:
        match node:
            case ast.BinOp(left, op, right) if type(op) in _OPERATORS:
                return [*self._names(left), *self._names(right)]
            case ast.UnaryOp(ast.USub(), operand):
                return self._names(operand)
            case ast.Name(name):
                return [name]
            case ast.Constant(value) if type(value) in (int, float):
                return []
        raise ValueError(_RULE)

    def value(self, values: Mapping[str, Decimal | None]) -> Decimal | None:
        """The result; None when a value is unknown, or there is no result below 1e300."""
        try:
            found = self._value(self.tree, values)
        except (DivisionByZero, InvalidOperation, Overflow):
            return None
        return found if found is not None and abs(found) < _LARGEST else None

    def _value(self, node: ast.expr, values: Mapping[str, Decimal | None]) -> Decimal | None:
        match node:
            case ast.BinOp(left, op, right):
                one, other = self._value(left, values), self._value(right, values)
                if one is None or other is None:
                    return None
                result: Decimal = _OPERATORS[type(op)](one, other)
                return result
            case ast.UnaryOp(_, operand):
                value = self._value(operand, values)
                return None if value is None else -value
            case ast.Name(name):
                return values[name]
            case ast.Constant(value):
                return Decimal(str(value))
        raise AssertionError(node)
