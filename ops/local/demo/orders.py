"""Pizza orders: good ones, copies, some for another region, and poison."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.events import Event

__all__ = ["Orders", "make_orders"]

_CITIES = (("AU", "Melbourne"), ("NZ", "Auckland"), ("AU", "Perth"), ("NZ", "Wellington"))
_MENU = ("margherita", "marinara", "noPineappleOnPizza", "quattroFormaggi")


@dataclass(frozen=True)
class Orders:
    """The events of one run, in the groups that the demo counts.

    Attributes:
        good: to be handled.
        copies: of the first good ones, with the same idempotency keys.
        strangers: of a region that the rule does not ask for.
        poison: for `special`, which is not on the menu.
        special: the name that a fixed handler has on its menu; no other run uses it.
    """

    good: tuple[Event, ...]
    copies: tuple[Event, ...]
    strangers: tuple[Event, ...]
    poison: tuple[Event, ...]
    special: str

    @property
    def all(self) -> list[Event]:
        return [*self.good, *self.copies, *self.strangers, *self.poison]


def make_orders(run: str, *, good: int = 40, copies: int = 5, strangers: int = 5, poison: int = 3) -> Orders:
    """Orders whose keys and poison no other `run` shares."""
    special = f"pineapple-{run}"
    kept = tuple(_order(run, "good", number, _MENU[number % len(_MENU)]) for number in range(good))
    return Orders(
        good=kept,
        copies=kept[:copies],
        strangers=tuple(_order(run, "far", number, _MENU[0], "US", "New York") for number in range(strangers)),
        poison=tuple(_order(run, "poison", number, special) for number in range(poison)),
        special=special,
    )


def _order(run: str, group: str, number: int, name: str, region: str = "", city: str = "") -> Event:
    if not region:
        region, city = _CITIES[number % len(_CITIES)]
    return Event(
        source="pizza.service.com",
        detail_type="OrderCreated",
        idempotency_key=f"demo-{run}-{group}-{number}",
        data={
            "channel-id": f"demo-{run}",
            "created-at": "2021-11-26T16:05:09-04:00",
            "name": name,
            "description": "An order of the local demo",
            "Tags": ["Food"],
            "OrderType": ["Pickup"],
            "city": city,
            "region": region,
        },
    )
