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


def total(lines):
    """What an order costs in cents."""
    return sum(line.pieces * line.price for line in lines)


def orders_of(database: sqlite3.Connection, customer: str):
    """A customer's orders, newest first."""
    query = "SELECT id, placed_at FROM orders WHERE customer = ? ORDER BY placed_at DESC"
    return database.execute(query, (customer,)).fetchall()


def page(orders, number):
    """One page of orders; the first page is number 1."""
    start = (number - 1) * PAGE_SIZE
    return orders[start : start + PAGE_SIZE]
