"""Texts of fixed forms: addresses and ranges of them, hosts, mail addresses, traceparents."""

from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from operator import attrgetter

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from router.domain.hubs import LONGEST_TRACEPARENT, find_ids, traceparent_of
from router.domain.patterns import AddressRanges, unmapped
from router.domain.urls import is_example, is_mail_address
from tests.telemetry.builders import SPAN, TRACE, TRACEPARENT

# Few prefixes and few bits that differ, so that addresses are often in ranges, and ranges in one another.
_FOURS = st.builds(lambda high, low: str(ip_address(high << 24 | low)), st.sampled_from([10, 11]), st.integers(0, 3))
_SIXES = st.builds(
    lambda high, low: str(IPv6Address(high << 112 | low)), st.sampled_from([0x2001, 0]), st.integers(0, 3)
)
_MAPPED = st.builds(lambda address: f"::ffff:{address}", _FOURS)
_ADDRESSES = _FOURS | _SIXES | _MAPPED | _SIXES.map(lambda text: IPv6Address(text).exploded.upper())


@st.composite
def _networks(draw: st.DrawFn) -> IPv4Network | IPv6Network:
    address = ip_address(draw(_ADDRESSES))
    return ip_network((address, draw(st.integers(0, address.max_prefixlen))), strict=False)


def _is_in(text: str, network: IPv4Network | IPv6Network) -> bool:
    """Whether an address is in a network, both as they are written or both as IPv6."""
    address = ip_address(text)
    if address.version != network.version:
        address = IPv6Address(f"::ffff:{address}") if address.version == 4 else address
        if isinstance(network, IPv4Network):
            network = IPv6Network(f"::ffff:{network.network_address}/{96 + network.prefixlen}")
    return address in network


@given(st.lists(_networks(), max_size=5), _ADDRESSES)
def test_ranges_hold_what_is_in_one_of_the_networks(networks: list[IPv4Network | IPv6Network], address: str) -> None:
    """An address is found by the narrowest network that it is in; a range around all IPv4 is not asked for."""
    networks = [
        one for one in networks if not (isinstance(one, IPv6Network) and one.supernet_of(IPv6Network("::ffff:0:0/96")))
    ]
    holding = [unmapped(network) for network in networks if _is_in(address, network)]
    narrowest = max(holding, key=attrgetter("prefixlen"), default=None)
    assert AddressRanges.from_networks(networks).find(address) == narrowest


@given(_networks(), _networks())
def test_ranges_cover_the_networks_in_one(first: IPv4Network | IPv6Network, second: IPv4Network | IPv6Network) -> None:
    """As subnet_of says of networks of one version; what is written of a range is read as the same range."""
    inner, outer = unmapped(first), unmapped(second)
    is_subnet = inner.version == outer.version and inner.subnet_of(outer)  # type: ignore[arg-type]
    assert AddressRanges.from_networks([second]).covers(inner) is is_subnet
    assert list(AddressRanges.from_networks([ip_network(str(inner))])) == [inner]


def test_a_name_under_example_is_nobodys_and_a_mail_address_is_one() -> None:
    """In any case, with the root's dot or without it; one that only has the word in it may be somebody's. A mail
    address has nothing beside it, no second one, and nothing of which a header could be made."""
    for host in ("soc.example", "a.b.example", "SOC.Example", "soc.example.", "soc.EXAMPLE..", "example"):
        assert is_example(host), host
    for host in ("example.com", "soc.example.com", "myexample", "soc.examples", "192.0.2.1", "::1", ""):
        assert not is_example(host), host
    for text in ("ana@contoso.example", "a.b+c@x", "o'neil@contoso.example"):
        assert is_mail_address(text), text
    for text in ("ana", "@x", "a@", "a..b@x", ".a@x", "a@b@c", "a b@x", "Ana <a@x>", "a@x\n", "a@x,b@x", "a@x\r\nB: c"):
        assert not is_mail_address(text), text


def test_what_is_no_traceparent_is_none() -> None:
    """Nobody's text breaks anything, and none gets into a header. A later version is read as far as ours goes:
    https://www.w3.org/TR/trace-context/#versioning-of-traceparent"""
    for text in (
        None,
        f"00-{TRACE}-{SPAN}-01\n",
        f"00-{TRACE}-{SPAN}-01\r\nX-Injected: 1",
        f"01-{TRACE}-{SPAN}-01-{'a' * LONGEST_TRACEPARENT}",
        "٠٠" + TRACEPARENT[2:],
    ):
        assert find_ids(text) is None, text
    assert find_ids(TRACEPARENT) == (int(TRACE, 16), int(SPAN, 16), 1)
    tail = "a" * (LONGEST_TRACEPARENT - len(TRACEPARENT) - 1)
    assert find_ids(f"01-{TRACE}-{SPAN}-01-{tail}") == find_ids(TRACEPARENT)


@given(st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.integers(0, 255))
def test_a_traceparent_is_read_as_it_was_written(trace_id: int, span_id: int, flags: int) -> None:
    """Every id and all flags."""
    assert find_ids(traceparent_of(trace_id, span_id, flags)) == (trace_id, span_id, flags)


HEX = st.text("0123456789abcdef", min_size=16, max_size=32)
NEARLY = st.builds(
    "{}-{}-{}-{}{}".format,
    st.sampled_from(["00", "01", "fe", "ff", "0g", "0"]),
    st.sampled_from([TRACE, "0" * 32, TRACE.upper(), TRACE + "0"]) | HEX,
    st.sampled_from([SPAN, "0" * 16, SPAN[1:]]) | HEX,
    st.sampled_from(["00", "01", "ff", "1", "0x"]),
    st.sampled_from(["", "-", "-more", "more"]),
)


@given(NEARLY | st.text())
def test_we_read_what_opentelemetry_reads(text: str) -> None:
    """But for the blanks around it that HTTP allows in a header."""
    propagator = TraceContextTextMapPropagator()
    theirs = trace.get_current_span(propagator.extract({"traceparent": text.strip()})).get_span_context()
    ours = find_ids(text.strip())
    assert (ours is not None) == theirs.is_valid
    if ours is not None:
        assert ours == (theirs.trace_id, theirs.span_id, theirs.trace_flags)
