"""Real worker processes that serve an API, with an idempotency table on the embedded AWS."""

from __future__ import annotations

import http.client
import json
import threading
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path

import pytest

from tests.emulator import Account
from tests.worker.api.support import Kitchen, Reply, Server, order
from tests.worker.support import wait_for


@pytest.fixture
def kitchen(account: Account, tmp_path: Path) -> Kitchen:
    return Kitchen(account, tmp_path)


def assert_problem(reply: Reply, status: int, detail: str) -> None:
    assert reply.status == status
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json["status"] == status
    assert detail in reply.json["detail"]


def test_the_answer_is_what_the_handler_returned(kitchen: Kitchen):
    with kitchen.server() as server:
        reply = server.post(order("k1", returns={"baked": "margherita"}))
        nothing = server.post(order("k2"))
    assert (reply.status, reply.json) == (200, {"baked": "margherita"})
    assert reply.headers["content-type"] == "application/json"
    assert "idempotency-replayed" not in reply.headers
    assert (nothing.status, nothing.json) == (200, None)
    line = next(line for line in server.lines() if line.get("outcome") == "handled")
    assert {"pattern", "event_id", "event_type", "idempotency_key", "duration_ms", "status"} <= line.keys()


def test_many_callers_are_each_answered_with_their_own_result(kitchen: Kitchen):
    with kitchen.server(CONCURRENCY="8", API_MAX_WAITING="50") as server:
        replies = server.post_all([order(f"k{n}", returns={"n": n}) for n in range(60)], callers=12)
    assert [reply.json for reply in replies] == [{"n": n} for n in range(60)]
    assert kitchen.attempts() == {f"k{n}": 1 for n in range(60)}
    assert server.outcomes() == {"handled": 60}


def test_a_repeated_request_gets_the_first_one_s_result(kitchen: Kitchen):
    with kitchen.server() as server:
        first = server.post(order("same", returns={"number": 1}))
        second = server.post(order("same", returns={"number": 2}))
    assert (first.json, second.json) == ({"number": 1}, {"number": 1})
    assert (second.status, second.headers["idempotency-replayed"]) == (200, "true")
    assert kitchen.attempts() == {"same": 1}
    assert server.outcomes() == {"handled": 1, "duplicate": 1}


def test_a_key_that_is_being_handled_is_a_conflict_until_it_is_done(kitchen: Kitchen):
    with kitchen.server(CONCURRENCY="2") as one, kitchen.server() as other, ThreadPoolExecutor() as pool:
        slow = pool.submit(one.post, order("same", gate=1, returns={"slow": True}))
        wait_for("the handler", kitchen.calls)
        for server in (one, other):
            conflict = server.post(order("same"))
            assert_problem(conflict, 409, "is being handled now")
            assert int(conflict.headers["retry-after"]) >= 1
        kitchen.open_gate()
        assert slow.result().json == {"slow": True}
        assert other.post(order("same")).json == {"slow": True}
    assert kitchen.attempts() == {"same": 1}


def test_a_failure_is_500_and_the_next_attempt_begins_anew(kitchen: Kitchen):
    with kitchen.server() as server:
        failed = server.post(order("k1", fail=1, returns={"ok": True}))
        again = server.post(order("k1", fail=1, returns={"ok": True}))
    assert_problem(failed, 500, "the handler failed; its log says why")
    assert "failure 1" not in failed.body.decode()
    assert (again.status, again.json) == (200, {"ok": True})
    line = next(line for line in server.lines() if line.get("outcome") == "failed")
    assert line["error"] == "RuntimeError"
    assert "failure 1 of k1" in json.dumps(line)


def test_what_no_retry_can_help_is_422_with_the_reason(kitchen: Kitchen):
    with kitchen.server() as server:
        assert_problem(server.post(order("k1", poison=True)), 422, "poison in k1")


def test_what_is_no_event_is_400_with_the_path(kitchen: Kitchen):
    wrong = json.loads(order("k1"))
    del wrong["detail"]["metadata"]
    with kitchen.server() as server:
        assert_problem(server.post(json.dumps(wrong)), 400, "detail.metadata: expected an object, got NoneType")
        assert_problem(server.post("{not json"), 400, "event: not JSON")
        assert_problem(server.post(b"\xff\xfe"), 400, "event: not UTF-8")
        assert_problem(server.post(""), 400, "event: not JSON")
    assert kitchen.calls() == []
    assert server.outcomes() == {"refused": 4}


def test_other_paths_and_methods(kitchen: Kitchen):
    with kitchen.server(API_PATH="/orders") as server:
        assert_problem(server.post(order("k1")), 404, "there is nothing at /events; events go to /orders")
        read = server.request("GET", "/orders")
        assert_problem(read, 405, "got GET; allowed: POST")
        assert read.headers["allow"] == "POST"
        assert server.request("POST", "/orders", order("k1")).status == 200
        health = server.request("HEAD", "/health")
        assert (health.status, health.body) == (200, b"")


def test_what_is_too_large_is_refused_before_it_is_read(kitchen: Kitchen):
    body = order("k1", padding="x" * 2000)
    with kitchen.server(API_MAX_BODY_BYTES="1000") as server:
        assert_problem(server.post(body), 413, "allowed are 1,000 bytes")
        # Announced, and never sent: the answer comes all the same.
        connection = server.connect(5)
        connection.putrequest("POST", "/events")
        connection.putheader("Content-Length", "5000000")
        connection.endheaders()
        assert connection.getresponse().status == 413
        connection.close()
        # Without a length it is counted as it comes.
        connection = server.connect(5)
        connection.request("POST", "/events", iter([b"x" * 600, b"x" * 600]), encode_chunked=True)
        assert connection.getresponse().status == 413
        connection.close()
        assert server.post(order("k2")).status == 200
    assert kitchen.attempts() == {"k2": 1}


def test_only_those_with_a_key_are_let_in(kitchen: Kitchen):
    with kitchen.server(API_KEYS="new-key, old-key") as server:
        assert_problem(server.post(order("k1")), 401, "x-api-key is missing or has a wrong key")
        assert_problem(server.post(order("k1"), x_api_key="newkey"), 401, "x-api-key")
        assert server.post(order("k2"), x_api_key="old-key").status == 200
        assert server.post(order("k3"), x_api_key="new-key").status == 200
        assert server.healthy()
    assert kitchen.attempts() == {"k2": 1, "k3": 1}
    assert "old-key" not in server.text()


def test_more_than_it_can_take_is_503_at_once(kitchen: Kitchen):
    with kitchen.server(CONCURRENCY="1", API_MAX_WAITING="2") as server, ThreadPoolExecutor() as pool:
        requests = {pool.submit(server.post, order(f"k{n}", gate=1)): f"k{n}" for n in range(4)}
        # One too many, whichever came last, is answered while the others wait.
        (refused,), taken = wait(requests, return_when=FIRST_COMPLETED)
        assert_problem(refused.result(), 503, "as many requests as it can take")
        assert refused.result().headers["retry-after"] == "1"
        assert server.healthy()
        assert not any(request.done() for request in taken)
        kitchen.open_gate()
        assert [request.result().status for request in taken] == [200] * 3
        assert server.post(order("late")).status == 200
    assert kitchen.attempts() == dict.fromkeys([*(requests[request] for request in taken), "late"], 1)


def test_a_caller_that_goes_away_changes_nothing(kitchen: Kitchen):
    with kitchen.server() as server:
        impatient = server.connect(0.3)
        impatient.request("POST", "/events", order("k1", seconds=1, returns={"done": True}))
        with pytest.raises(TimeoutError):
            impatient.getresponse()
        impatient.close()
        wait_for("the end of the work", lambda: kitchen.calls("end"))
        reply = _when_free(server, order("k1"))
    assert reply.json == {"done": True}
    assert kitchen.attempts() == {"k1": 1}


def _when_free(server: Server, body: str) -> Reply:
    """The first answer that is not about the key being taken."""
    replies: list[Reply] = []

    def answered() -> bool:
        replies.append(server.post(body))
        return replies[-1].status != 409

    wait_for("the key", answered)
    return replies[-1]


def test_half_a_request_occupies_no_place(kitchen: Kitchen):
    with kitchen.server(CONCURRENCY="1", API_MAX_WAITING="0") as server:
        half = server.connect()
        half.putrequest("POST", "/events")
        half.putheader("Content-Length", "100")
        half.endheaders()
        half.send(b"{")
        wait_for("the place to be taken", lambda: server.post(order("k1")).status == 503)
        half.close()
        wait_for("the place to be free", lambda: server.post(order("k2")).status == 200)


def test_sigterm_finishes_what_was_begun_and_takes_nothing_new(kitchen: Kitchen):
    server = kitchen.start(CONCURRENCY="2")
    try:
        wait_for("the server", server.ready)
        with ThreadPoolExecutor() as pool:
            begun = [pool.submit(server.post, order(f"k{n}", gate=1, returns={"n": n})) for n in range(2)]
            wait_for("the handlers", lambda: len(kitchen.calls()) == 2)
            waiting = server.connect()
            waiting.request("POST", "/events", order("k2", returns={"n": 2}))
            assert server.healthy()  # connections are taken in turn: the one before has been, too
            server.terminate()
            wait_for("a closed door", lambda: _refuses(server))
            kitchen.open_gate()
            assert [future.result().json for future in begun] == [{"n": 0}, {"n": 1}]
            assert json.loads(waiting.getresponse().read()) == {"n": 2}
        assert server.process.wait(60) == 0
    finally:
        server.kill()
    assert server.outcomes() == {"handled": 3}


def _refuses(server: Server) -> bool:
    try:
        server.request("GET", "/health")
    except ConnectionError:
        return True
    return False


def test_a_lingering_server_says_that_it_is_stopping_and_still_serves(kitchen: Kitchen):
    server = kitchen.start(API_LINGER_SECONDS="8")
    try:
        wait_for("the server", server.ready)
        idle = server.connect()
        idle.request("GET", "/health")
        assert idle.getresponse().read() == b"ok\n"
        server.terminate()
        wait_for("failing health checks", lambda: server.request("GET", "/health").status == 503)
        late = server.post(order("late", returns={"late": True}))
        assert (late.json, late.headers["connection"]) == ({"late": True}, "close")
        assert server.process.wait(60) == 0
        idle.close()
    finally:
        server.kill()


def test_work_longer_than_the_stop_timeout_is_interrupted_and_its_key_is_free(kitchen: Kitchen):
    server = kitchen.start(STOP_TIMEOUT_SECONDS="2")
    try:
        wait_for("the server", server.ready)
        with ThreadPoolExecutor() as pool:
            lost = pool.submit(server.post, order("long", seconds=30))
            wait_for("the handler", kitchen.calls)
            server.terminate()
            assert server.process.wait(60) == 3
            with pytest.raises((ConnectionError, http.client.HTTPException)):
                _answered(lost.result())
    finally:
        server.kill()
    with kitchen.server() as next_server:
        assert next_server.post(order("long", returns={"again": True})).json == {"again": True}


def _answered(reply: Reply) -> None:
    """A server that gives up may still say so."""
    assert reply.status == 500, reply
    raise ConnectionError


def test_a_killed_server_s_key_comes_free_when_its_lease_ends(kitchen: Kitchen):
    with kitchen.server(API_LEASE_SECONDS="10") as other:
        server = kitchen.start(API_LEASE_SECONDS="10")
        wait_for("the server", server.ready)
        thread = threading.Thread(target=lambda: _ignore(server, order("k1", seconds=30)))
        thread.start()
        wait_for("the handler", kitchen.calls)
        server.kill()
        assert_problem(other.post(order("k1")), 409, "is being handled now")
        reply = _when_free(other, order("k1", returns={"ok": 1}))
        thread.join()
    assert reply.json == {"ok": 1}


def _ignore(server: Server, body: str) -> None:
    try:
        server.post(body)
    except (OSError, http.client.HTTPException):
        return


def test_a_lease_is_extended_while_work_goes_on(kitchen: Kitchen):
    with kitchen.server(API_LEASE_SECONDS="5", CONCURRENCY="2") as server, ThreadPoolExecutor() as pool:
        slow = pool.submit(server.post, order("k1", gate=1))
        wait_for("the handler", kitchen.calls)
        deadline = time.monotonic() + 7
        while time.monotonic() < deadline:
            assert server.post(order("k1")).status == 409
            time.sleep(0.2)
        kitchen.open_gate()
        assert slow.result().status == 200
    assert kitchen.attempts() == {"k1": 1}


def test_without_a_table_nothing_is_done_when_it_cannot_be_asked(kitchen: Kitchen):
    with kitchen.server(IDEMPOTENCY_TABLE="elsewhere") as server:
        reply = server.post(order("k1"))
    assert_problem(reply, 503, "cannot be found out now")
    assert kitchen.calls() == []


def test_a_taken_port_and_wrong_settings_are_said_in_one_line_each(kitchen: Kitchen):
    with kitchen.server() as server:
        second = kitchen.start(API_PORT=str(server.port))
        assert second.process.wait(60) == 2
        assert "cannot listen there (Address already in use)" in second.text()
    wrong = kitchen.start(API_KEYS=" ,", API_PATH="/health", API_MAX_BODY_BYTES="0", API_LEASE_SECONDS="1")
    assert wrong.process.wait(60) == 2
    lines = wrong.text().splitlines()
    assert [line.split(":")[1].strip() for line in lines] == [
        "API_PATH",
        "API_KEYS",
        "API_MAX_BODY_BYTES",
        "API_LEASE_SECONDS",
    ]
