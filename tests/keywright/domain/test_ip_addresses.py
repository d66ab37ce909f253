"""Allowed addresses: one way to write each, and the same answer as Python's own ipaddress for every address."""

from __future__ import annotations

import random
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_network

import pytest

from keywright.domain.ip_addresses import is_within, normalized
from tests.support.depth import size

ADDRESSES = size("ADDRESSES", 500, full=10_000)
RANGES = 50
MAPPED = 0xFFFF << 32

Network = IPv4Network | IPv6Network


def random_range(source: random.Random) -> Network:
    """Return a range; a third of them are of IPv4, a third of IPv6, and a third of IPv4 written as IPv6."""
    kind, length = source.randrange(3), source.choice([0, 1, 8, 15, 24, 31, 32])
    if kind == 0:
        return ip_network((source.getrandbits(32), length), strict=False)
    if kind == 1:
        return ip_network((source.getrandbits(128), 4 * length), strict=False)
    return ip_network((MAPPED | source.getrandbits(32), 96 + length), strict=False)


def random_address(source: random.Random, ranges: list[Network]) -> str:
    """Return an address in a range, at its edge, next to it or anywhere, in one of the ways to write it."""
    network = source.choice(ranges)
    first, last = int(network.network_address), int(network.broadcast_address)
    number = source.choice([first, last, first - 1, last + 1, source.randint(first, last)])
    if isinstance(network, IPv4Network) or number >> 32 == 0xFFFF:
        return written(source, number & 0xFFFFFFFF)
    address = IPv6Address(number % 2**128)
    return source.choice([str(address), address.exploded, str(address).upper()])


def written(source: random.Random, number: int) -> str:
    """Return an IPv4 address, as it is or as IPv6."""
    dotted = str(ip_network((number, 32)).network_address)
    return source.choice([dotted, f"::ffff:{dotted}", f"::FFFF:{number >> 16:x}:{number & 0xFFFF:x}"])


def contains(network: Network, address: str) -> bool:
    """Return whether a range has an address, by the numbers alone: IPv4 is the range ::ffff:0:0/96 of IPv6."""
    number = int(IPv6Address(address if ":" in address else f"::ffff:{address}"))
    first, last = int(network.network_address), int(network.broadcast_address)
    if isinstance(network, IPv4Network):
        first, last = MAPPED | first, MAPPED | last
    is_ipv4, of_ipv4 = number >> 32 == 0xFFFF, first >> 32 == last >> 32 == 0xFFFF
    return is_ipv4 == of_ipv4 and first <= number <= last


def test_addresses_are_within_the_ranges_that_have_them() -> None:
    """10,000 random addresses: each is within a random set of ranges exactly if the numbers of one of them have it.

    Ranges of IPv6 that are larger than all of IPv4 have no address of IPv4.
    """
    source = random.Random(16)  # noqa: S311 - the same addresses in each run
    inside = 0
    for number in range(ADDRESSES):
        ranges = [random_range(source) for _ in range(1 + number % 3)]
        address = random_address(source, ranges)
        expected = any(contains(network, address) for network in ranges)
        allowed = [normalized(str(network)) for network in ranges]
        assert expected == is_within(address, allowed), f"{address} in {allowed}"
        inside += expected

    assert ADDRESSES // 5 < inside < ADDRESSES


def test_ranges_are_written_in_one_way() -> None:
    """10,000 random ranges: the text of each is the same range, and stays when it is written again."""
    source = random.Random(17)  # noqa: S311
    for _ in range(ADDRESSES):
        network = random_range(source)
        texts = {normalized(text) for text in (str(network), network.exploded, str(network).upper())}
        (text,) = texts
        assert text == normalized(text)
        again = ip_network(text)
        if isinstance(network, IPv6Network) and isinstance(again, IPv4Network):
            assert int(network.network_address) == MAPPED | int(again.network_address)
            assert network.prefixlen == 96 + again.prefixlen
        else:
            assert network == again


def test_a_range_with_host_bits_is_refused() -> None:
    """10,000 random ranges with a bit set after the prefix: none is taken for the range around it."""
    source = random.Random(18)  # noqa: S311
    refused = 0
    for _ in range(ADDRESSES):
        network = random_range(source)
        free_bits = network.max_prefixlen - network.prefixlen
        if free_bits == 0:
            continue
        address = network[1 << source.randrange(free_bits)]
        with pytest.raises(ValueError, match="host bits set"):
            normalized(f"{address}/{network.prefixlen}")
        refused += 1

    assert refused > ADDRESSES // 2


@pytest.mark.parametrize(
    "text", ["", " ", "a", "192.0.2", "192.0.2.1.1", "192.0.2.256", "192.0.2.01", "fe80::1%eth0", "::g"]
)
def test_other_texts_are_nowhere(text: str) -> None:
    """What is no address is refused as a range, and within no range as the address of a client."""
    with pytest.raises(ValueError, match=r"."):
        normalized(text)
    assert not is_within(text, ["192.0.2.0/24"])


def test_an_unknown_address_is_nowhere() -> None:
    """A client whose address is not known is in no range, not even in all of them."""
    assert not is_within(None, ["0.0.0.0/0", "::/0"])


def test_all_of_one_family_is_not_the_other() -> None:
    """All of IPv4 has its addresses as IPv6 too; all of IPv6 has none of IPv4."""
    assert [True, True, False] == [is_within(text, ["0.0.0.0/0"]) for text in ("192.0.2.1", "::ffff:192.0.2.1", "::1")]
    assert [False, False, True] == [is_within(text, ["::/0"]) for text in ("192.0.2.1", "::ffff:192.0.2.1", "::1")]
