from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from contracts.events import Event
from worker.errors import NonRetryableError, SettingsError
from worker.handler import MAX_RESULT_BYTES, keepable, load
from worker.handlers import pizza


def test_a_handler_is_found_by_its_name() -> None:
    assert load("worker.handlers.pizza:handle") is pizza.handle


@pytest.mark.parametrize(
    ("reference", "line"),
    [
        (
            "no.such:handle",
            "HANDLER: cannot import 'no.such' of 'no.such:handle': ModuleNotFoundError: No module named 'no'",
        ),
        (
            "tests.worker.broken_handlers:handle",
            "HANDLER: cannot import 'tests.worker.broken_handlers' of 'tests.worker.broken_handlers:handle': "
            "RuntimeError: broken on import",
        ),
        (
            "worker.handlers.pizza:bake",
            "HANDLER: 'bake' of 'worker.handlers.pizza:bake' does not exist; functions there: handle",
        ),
        (
            "worker.handlers.pizza:DEFAULT_MENU",
            "HANDLER: 'DEFAULT_MENU' of 'worker.handlers.pizza:DEFAULT_MENU' is not a function; functions there: handle",
        ),
        (
            "tests.worker.odd_handlers:asynchronous",
            "HANDLER: 'tests.worker.odd_handlers:asynchronous' is an async function; "
            "allowed: a plain handle(event) function",
        ),
        (
            "tests.worker.odd_handlers:generator",
            "HANDLER: 'tests.worker.odd_handlers:generator' is a generator; allowed: a plain handle(event) function",
        ),
        (
            "tests.worker.odd_handlers:lambda_style",
            "HANDLER: 'tests.worker.odd_handlers:lambda_style' cannot be called as handle(event): "
            "missing a required argument: 'context'",
        ),
    ],
)
def test_a_handler_that_cannot_work_is_refused(reference: str, line: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(reference)
    assert caught.value.lines == [line]


@pytest.mark.parametrize("result", [None, {}, {"price": Decimal("1.5"), "toppings": ["ham"]}])
def test_a_result_is_kept_as_it_is(result: Any, caplog: pytest.LogCaptureFixture) -> None:
    assert keepable(result) == result
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("result", "problem"),
    [
        ("text", "a str; allowed: a dict or None"),
        ([1], "a list; allowed: a dict or None"),
        ({"x": object()}, "JSON cannot express"),
        ({"x": "y" * MAX_RESULT_BYTES}, "bytes of JSON; allowed: 300,000"),
    ],
)
def test_a_result_that_cannot_be_kept_is_told_and_dropped(
    result: object, problem: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert keepable(result) is None
    assert problem in caplog.text


def order(name: str) -> Event:
    return Event(
        source="pizza.service.com",
        detail_type="OrderCreated",
        idempotency_key=f"key of {name}",
        data={"name": name, "city": "Melbourne"},
    )


def test_the_pizza_shop_bakes_what_is_on_its_menu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MENU", raising=False)
    receipt = pizza.handle(order("noPineappleOnPizza"))
    assert (receipt["order"], receipt["city"], len(receipt["receipt_number"])) == (
        "noPineappleOnPizza",
        "Melbourne",
        12,
    )
    assert pizza.handle(order("noPineappleOnPizza")) == receipt
    with pytest.raises(NonRetryableError, match="'hawaii' is not on the menu; allowed: margherita, "):
        pizza.handle(order("hawaii"))


def test_a_longer_menu_serves_what_was_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MENU", f"{pizza.DEFAULT_MENU}, hawaii")
    assert pizza.handle(order("hawaii"))["order"] == "hawaii"
