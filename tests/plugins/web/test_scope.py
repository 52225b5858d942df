"""What belongs to a crawl by its address alone."""

from __future__ import annotations

import pytest

from plugins.web.scope import Scope, Settings


def scope(**options) -> Scope:
    return Scope(Settings(**{"seeds": ("https://a.example/",), "contact": "mailto:x@y.example"} | options))


@pytest.mark.parametrize(
    ("url", "fate"),
    [
        ("https://a.example/x", None),
        ("http://a.example:8080/x", None),
        ("https://www.a.example/", None),
        ("https://sub.a.example/", "denied"),
        ("https://b.example/?u=https://a.example/", "denied"),
        ("https://a.example.b.example/", "denied"),
        ("https://a.example/x.PNG?v=1", "media"),
        ("https://a.example/x.html", None),
        ("https://a.example/v1.2/png", None),
        ("https://a.example/?f=x.png", None),
    ],
)
def test_by_default_a_crawl_stays_on_the_hosts_of_its_seeds_and_reads_text(url, fate) -> None:
    assert (scope().refusal(url) or (None,))[0] == fate


def test_patterns_replace_the_hosts_and_denial_goes_first() -> None:
    patterned = scope(allow=(r"^https://b\.example/",), deny=("/private",))
    assert patterned.refusal("https://a.example/") == ("denied", "no pattern of allow")
    assert patterned.refusal("https://b.example/x") is None
    assert patterned.refusal("https://b.example/private/x") == ("denied", "deny: /private")


def test_a_sitemap_named_by_robots_txt_may_lie_elsewhere_unless_denied() -> None:
    assert scope().refusal("https://cdn.example/map.xml.gz", listing=True) is None
    assert scope(deny=("cdn",)).refusal("https://cdn.example/map.xml.gz", listing=True) is not None


def test_media_are_followed_on_demand() -> None:
    assert scope(media=True).refusal("https://a.example/x.png") is None


def test_what_is_ignored_is_told() -> None:
    from plugins.web.scope import Obey

    assert Obey().ignored() == []
    assert Obey(robots=False, tdm=False).ignored() == ["robots", "tdm"]
