"""Web frameworks: a transaction per request that is committed before the response's first byte is sent.

``TransactionMiddleware`` is for every ASGI application (Starlette, FastAPI, Litestar, Quart ...), with either Database;
``WSGITransactionMiddleware`` for every WSGI application (Flask, Django, Bottle ...), in threads and under gevent.
``stretto.web.fastapi`` has a dependency, ``stretto.web.tornado`` a decorator and mixins; they import their framework,
this package imports none.
"""

from __future__ import annotations

from stretto.web._again import retryable
from stretto.web.asgi import TransactionMiddleware, lifespan
from stretto.web.wsgi import WSGITransactionMiddleware

__all__ = ["TransactionMiddleware", "WSGITransactionMiddleware", "lifespan", "retryable"]
