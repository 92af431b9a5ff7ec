"""Settings of a broker → `BrokerArgs`; used for shared brokers and for those of one pattern."""

from __future__ import annotations

from components.config.brokers import BrokerSettings
from components.encryption import EncryptionKey
from components.network import Network
from components.stores.broker import BrokerArgs

__all__ = ["broker_args"]


def broker_args(settings: BrokerSettings, network: Network, encryption_key: EncryptionKey | None) -> BrokerArgs:
    return BrokerArgs(
        network=network,
        engine=settings.engine,
        engine_version=settings.version,
        instance_type=settings.instance_type,
        multi_az=settings.multi_az,
        encryption_key=encryption_key,
    )
