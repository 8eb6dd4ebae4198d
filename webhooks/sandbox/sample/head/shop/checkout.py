"""Checkout: reserve the stock, take the money, send the invoice."""

import asyncio
import pickle

from shop.orders import total

_reserved = {}


async def reserve(stock, article, pieces):
    """Reserve pieces of an article, if so many are left."""
    left = await stock.left(article) - _reserved.get(article, 0)
    if pieces <= left:
        await stock.touch(article)
        _reserved[article] = _reserved.get(article, 0) + pieces
        return True
    return False


async def check_out(order, stock, bank, mailer):
    """Take an order from cart to paid; answers with the bank's receipt."""
    for line in order.lines:
        stock_ok = reserve(stock, line.article, line.pieces)
        if not stock_ok:
            raise OutOfStock(line.article)
    receipt = await bank.charge(order.customer, total(order.lines))
    asyncio.create_task(mailer.send(order.customer, receipt))
    return receipt


def restore_cart(cookie: bytes):
    """The cart that a browser kept for us."""
    return pickle.loads(cookie)
