"""Which hosts are asked through a proxy."""

import pytest

from router.domain.proxies import parse_proxy


@pytest.mark.parametrize(
    ("host", "is_led_to"),
    [
        ("login.microsoftonline.com", True),
        ("10.0.0.7", True),
        ("169.255.0.1", True),
        ("2001:db8::1", True),
        ("2001:db8::8", False),
        ("notcontoso.com", True),
        ("contoso.com.evil.test", True),
        ("contoso.com", False),
        ("Soc.CONTOSO.com.", False),
        ("10.0.0.8", False),
        ("localhost", False),
        ("127.8.8.8", False),
        ("::1", False),
        ("169.254.169.254", False),
        ("::ffff:169.254.169.254", False),
        ("fe80::1", False),
    ],
)
def test_this_machine_its_link_and_hosts_that_are_named_are_asked_directly(host: str, is_led_to: bool) -> None:
    """A name stands for all names under it; where an identity gets its tokens no proxy can know."""
    assert parse_proxy("http://p:1", "contoso.com, 10.0.0.8, [2001:db8::8]").leads_to(host) is is_led_to
