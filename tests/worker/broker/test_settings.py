from __future__ import annotations

from pathlib import Path

import pytest

from contracts import environment as names
from worker.errors import SettingsError
from worker.sources.broker.settings import Endpoint, read

MINIMAL = {names.BROKER_URLS: "amqps://b-1.mq.ap-southeast-2.amazonaws.com", names.BROKER_QUEUE: "orders"}


def test_the_defaults():
    settings = read(MINIMAL, concurrency=3)
    assert settings.endpoints == (Endpoint(scheme="amqps", host="b-1.mq.ap-southeast-2.amazonaws.com", port=5671),)
    assert (settings.dead_letter_queue, settings.prefetch, settings.lease_seconds) == ("orders.dlq", 6, 30)
    assert (settings.ordered, settings.username, settings.ca_file, settings.stomp) == (False, None, None, False)
    assert settings.endpoints[0].tls


def test_several_addresses_and_a_virtual_host():
    urls = "stomp+ssl://a.example , stomp+ssl://b.example:61000"
    settings = read({**MINIMAL, names.BROKER_URLS: urls}, concurrency=1)
    assert [str(endpoint) for endpoint in settings.endpoints] == [
        "stomp+ssl://a.example:61614",
        "stomp+ssl://b.example:61000",
    ]
    assert settings.stomp
    settings = read({**MINIMAL, names.BROKER_URLS: "amqp://localhost/shop%2Feu"}, concurrency=1)
    assert (settings.endpoints[0].port, settings.endpoints[0].virtual_host) == (5672, "shop/eu")
    assert not settings.endpoints[0].tls


def test_a_password_is_not_in_the_representation():
    settings = read({**MINIMAL, names.BROKER_USERNAME: "worker", names.BROKER_PASSWORD: " s3cret "}, concurrency=1)
    assert settings.password == " s3cret "
    assert "s3cret" not in repr(settings)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {names.BROKER_URLS: ""},
            "BROKER_URLS: not set; set it to URLs with commas between, e.g. amqps://broker.example:5671",
        ),
        (
            {names.BROKER_URLS: "https://broker.example"},
            "BROKER_URLS: 'https://broker.example' is not a broker's URL; allowed: amqp://, amqps://, stomp://, "
            "stomp+ssl:// and host[:port]",
        ),
        (
            {names.BROKER_URLS: "amqps://user:secret@broker.example"},
            "BROKER_URLS: URL 1 has credentials, and URLs are logged; set BROKER_USERNAME and BROKER_PASSWORD",
        ),
        ({names.BROKER_URLS: "amqps://a,stomp+ssl://b"}, "BROKER_URLS: mixes amqps, stomp+ssl; allowed: one protocol"),
        ({names.BROKER_QUEUE: ""}, "BROKER_QUEUE: not set; set it to the name of the queue to consume"),
        (
            {names.BROKER_QUEUE: "orders.>"},
            "BROKER_QUEUE: 'orders.>' is malformed; allowed: 1 to 200 letters, digits and _ . : -",
        ),
        ({names.BROKER_PREFETCH: "0"}, "BROKER_PREFETCH: 0 is out of range; allowed: 1 to 2,000"),
        ({names.BROKER_LEASE_SECONDS: "x"}, "BROKER_LEASE_SECONDS: 'x' is not a number; allowed: 2 to 3,600"),
        ({names.BROKER_ORDERED: "yes"}, "BROKER_ORDERED: 'yes' is unknown; allowed: true, false"),
        (
            {names.BROKER_ORDERED: "true"},
            "CONCURRENCY: 3 with BROKER_ORDERED=true; allowed: 1, or no order: two messages at a time have none",
        ),
        (
            {names.BROKER_CA_FILE: "/nowhere.pem"},
            "BROKER_CA_FILE: '/nowhere.pem' is not a file; allowed: a PEM file of authorities",
        ),
    ],
    ids=lambda value: str(value)[:50],
)
def test_every_mistake_is_one_line(changes: dict[str, str], line: str):
    with pytest.raises(SettingsError) as caught:
        read({**MINIMAL, **changes}, concurrency=3)
    assert line in [text for text in caught.value.lines if not text.startswith("BROKER_DEAD_LETTER_QUEUE")]


def test_all_mistakes_are_told_at_once():
    with pytest.raises(SettingsError) as caught:
        read({names.BROKER_URLS: "amqps://a:port", names.BROKER_PREFETCH: "x"}, concurrency=1)
    assert [line.split(":")[0] for line in caught.value.lines] == ["BROKER_URLS", "BROKER_QUEUE", "BROKER_PREFETCH"]


def test_an_authority_file_is_taken(tmp_path: Path):
    (tmp_path / "ca.pem").write_text("-")
    settings = read({**MINIMAL, names.BROKER_CA_FILE: str(tmp_path / "ca.pem")}, concurrency=1)
    assert settings.ca_file == str(tmp_path / "ca.pem")
