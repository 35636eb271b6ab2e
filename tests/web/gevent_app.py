"""A WSGI application behind gevent's server, and its clients: ``python -m tests.web.gevent_app URL``."""

from gevent import monkey

monkey.patch_all()

import sys  # noqa: E402  # gevent must come first
import urllib.error  # noqa: E402
import urllib.request  # noqa: E402
from typing import Any  # noqa: E402

import gevent  # noqa: E402
from gevent.event import Event  # noqa: E402
from gevent.pywsgi import WSGIServer  # noqa: E402

import stretto  # noqa: E402
from stretto.web import WSGITransactionMiddleware, retryable  # noqa: E402

SEEN = "select array_agg(i order by i) from gevent_t"


class Application:
    """Counts rows and puts one, when all its callers have counted; or waits in a transaction for ever."""

    def __init__(self, db: stretto.Database, callers: int) -> None:
        self.db = db
        self.callers = callers
        self.calls = 0
        self.all_here, self.stuck = Event(), Event()
        self.greenlet: Any = None

    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
        path = environ["PATH_INFO"]
        if path == "/stuck":
            self.db.execute("insert into gevent_t values (100)")
            self.greenlet = gevent.getcurrent()
            self.stuck.set()
            self.db.execute("select pg_sleep(60)")
        count = self.count() if path == "/count" else self.insert(int(path[1:]))
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [str(count).encode()]

    @retryable
    def count(self) -> int:
        found: int = self.db.fetchval("select count(*)::int from gevent_t")
        self.calls += 1
        if self.calls == self.callers:
            self.all_here.set()
        self.all_here.wait(20)
        return self.insert(found)

    def insert(self, number: int) -> int:
        self.db.execute("insert into gevent_t values ($1)", number)
        return number


def main(url: str) -> None:
    """Conflicts are tried again, a failed COMMIT is a 500, a killed greenlet rolls back."""
    gevent.get_hub().NOT_ERROR += (stretto.Error,)  # those that the server answers by 500 are not to be printed
    with stretto.Database(url, connections=6) as db, db.connection() as connection:
        connection.execute("drop table if exists gevent_t; create table gevent_t (i int check (i < 1000))")
        connection.execute("alter table gevent_t add unique (i) deferrable initially deferred")
        app = Application(db, 3)
        around = WSGITransactionMiddleware(app, db, isolation="serializable", attempts=20)
        server = WSGIServer(("127.0.0.1", 0), around, log=None, error_log=None)
        server.start()

        def get(path: str) -> Any:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}{path}", timeout=30) as answer:
                    return int(answer.read()), connection.fetchval(SEEN)
            except (urllib.error.HTTPError, OSError) as error:
                return getattr(error, "code", None)

        jobs = [gevent.spawn(get, "/count") for _ in range(3)]
        gevent.joinall(jobs, timeout=30, raise_error=True)
        assert sorted(job.value[0] for job in jobs) == [0, 1, 2], [job.value for job in jobs]
        assert all(number in rows for number, rows in (job.value for job in jobs))
        assert app.calls > 3
        assert get("/2") == 500
        stuck = gevent.spawn(get, "/stuck")
        assert app.stuck.wait(20)
        app.greenlet.kill()
        stuck.join(30)
        assert connection.fetchval(SEEN) == [0, 1, 2]
        server.stop()
        connection.execute("drop table gevent_t")
    print("ok")


if __name__ == "__main__":
    main(sys.argv[1])
