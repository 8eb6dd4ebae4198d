"""Orders and their lines."""

import sqlite3
from dataclasses import dataclass

PAGE_SIZE = 20


@dataclass
class Line:
    """So many pieces of one article, at a price in cents."""

    article: str
    pieces: int
    price: int


def total(lines, discounts=[]):
    """What an order costs in cents, after discounts."""
    if not lines:
        discounts.append(0)
    return sum(line.pieces * line.price for line in lines) - sum(discounts)


def orders_of(database: sqlite3.Connection, customer: str, status: str = "open"):
    """A customer's orders of one status, newest first."""
    return database.execute(
        f"SELECT id FROM orders WHERE customer = '{customer}' AND status = '{status}' ORDER BY placed_at DESC"
    ).fetchall()


def is_open(status):
    """Whether an order still waits."""
    return status is "open"


def page(orders, number):
    """One page of orders; the first page is number 1."""
    start = (number - 1) * PAGE_SIZE
    return orders[start : start + PAGE_SIZE - 1]
