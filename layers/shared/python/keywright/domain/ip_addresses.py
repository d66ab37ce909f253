"""IP addresses and ranges that a key may be used from.

An IPv4 address that is written as IPv6 (`::ffff:192.0.2.1`, RFC 4291, section 2.5.5.2) is the IPv4 address: which of
both API Gateway sees depends on the client's network, not on the client.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_MAPPED = IPv6Network("::ffff:0:0/96")


def normalized(text: str) -> str:
    """Return the one way to write an address or a range: `192.0.2.0/24`, or `192.0.2.1` for a single address.

    Raises:
        ValueError: it is neither, or has bits set after its prefix.
    """
    if "%" in text:
        raise ValueError("an address with a zone is no address of the internet")
    network = _unmapped(ip_network(text))
    return str(network.network_address) if network.num_addresses == 1 else str(network)


def is_within(address: str | None, allowed: Iterable[str]) -> bool:
    """Return whether an address is one of those, or in one of those ranges.

    Args:
        address: of a client; an unknown one (None) is nowhere.
        allowed: as `normalized` returns them.
    """
    if address is None:
        return False
    try:
        parsed = _of_client(address)
    except ValueError:
        return False
    return any(parsed in ip_network(range_) for range_ in allowed)


def _of_client(text: str) -> IPv4Address | IPv6Address:
    address = ip_address(text)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if mapped is None else mapped


def _unmapped(network: IPv4Network | IPv6Network) -> IPv4Network | IPv6Network:
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        return ip_network((int(network.network_address) & 0xFFFFFFFF, network.prefixlen - 96))
    return network
