"""The 21 published tests of google/robotstxt (robots_test.cc, read on 2026-11-24), their behaviours written anew as data.

Each case: name of the published test, robots.txt, user agent, {URL: allowed}. Names, paths and wording are ours but where they are the point.
Three published tests are not about decisions; their data stands below the table: names, lines and pieces.
"""

from __future__ import annotations

H = "https://site.example"
LONG = "/deep/" + "n" * (2083 * 8 - 1 - len("disallow: /deep/") - 1)
"""With "disallow: " before and "/" after it, as long as a line may be."""
LONG_A = "/deep/" + "n" * (2083 * 8 - 1 - len("allow: /deep/") - 1)
LONG_B = "/deep/" + "m" * (2083 * 8 - 1 - len("allow: /deep/") - 1)

_GROUPS = """allow: /lost/found/

user-agent: Anna
disallow: /
allow: /p/
user-agent: Berta
disallow: /
allow: /q/


allow: /r/
user-agent: Clara

user-agent: Anna
allow: /s/
disallow: /
"""


def only(*lines: str) -> str:
    return "\n".join(["user-agent: Anna", *lines, ""])


def shop(allow: str) -> str:
    return only("disallow: /", f"allow: {allow}")


def urls(yes: str = "", no: str = "") -> dict[str, bool]:
    return {H + path: True for path in yes.split()} | {H + path: False for path in no.split()}


CASES: list[tuple[str, str, str, dict[str, bool]]] = [
    ("SystemTest", "", "Anna", {"": True}),
    ("SystemTest", only("disallow: /"), "", {"": True}),
    ("SystemTest", only("disallow: /"), "Anna", {"": False}),
    ("SystemTest", "", "", {"": True}),
    ("LineSyntax_Line", only("disallow: /"), "Anna", urls(no="/k/l")),
    ("LineSyntax_Line", "name: Anna\nrule: /\n", "Anna", urls("/k/l")),
    ("LineSyntax_Line", "user-agent Anna\ndisallow /\n", "Anna", urls(no="/k/l")),
    ("LineSyntax_Groups", _GROUPS, "Anna", urls("/p/1 /s/1", "/q/1 /lost/found/")),
    ("LineSyntax_Groups", _GROUPS, "Berta", urls("/q/1 /r/1", "/s/1 /lost/found/")),
    ("LineSyntax_Groups", _GROUPS, "Clara", urls("/s/1", "/lost/found/")),
    *[
        (
            "LineSyntax_Groups_OtherRules",
            f"User-agent: Berta\n{other}\nUser-agent: *\nDisallow: /\n",
            agent,
            urls(no="/"),
        )
        for other in ("Sitemap: https://site.example/map", "Never-Heard-Of: it")
        for agent in ("Anna", "Berta")
    ],
    *[
        (
            "REPLineNamesCaseInsensitive",
            f"{agent}: Anna\n{allow}: /k/\n{disallow}: /\n",
            "Anna",
            urls("/k/l", "/m/n"),
        )
        for agent, allow, disallow in (
            ("USER-AGENT", "ALLOW", "DISALLOW"),
            ("user-agent", "allow", "disallow"),
            ("uSEr-AgEnT", "aLLoW", "DiSaLlOw"),
        )
    ],
    *[
        (
            "UserAgentValueCaseInsensitive",
            f"User-Agent: {named}\nAllow: /k/\nDisallow: /\n",
            agent,
            urls("/k/l", "/m/n"),
        )
        for named in ("ANNA LEE", "anna lee", "aNNa LeE")
        for agent in ("Anna", "anna")
    ],
    (
        "AcceptUserAgentUpToFirstSpace",
        "User-Agent: *\nDisallow: /\nUser-Agent: Anna Lee\nAllow: /k/\nDisallow: /\n",
        "Anna",
        urls("/k/l"),
    ),
    (
        "AcceptUserAgentUpToFirstSpace",
        "User-Agent: *\nDisallow: /\nUser-Agent: Anna Lee\nAllow: /k/\nDisallow: /\n",
        "Anna Lee",
        urls(no="/k/l"),
    ),
    ("GlobalGroups_Secondary", "", "Anna", urls("/k/l")),
    (
        "GlobalGroups_Secondary",
        "user-agent: *\nallow: /\nuser-agent: Anna\ndisallow: /\n",
        "Anna",
        urls(no="/k/l"),
    ),
    (
        "GlobalGroups_Secondary",
        "user-agent: *\nallow: /\nuser-agent: Anna\ndisallow: /\n",
        "Berta",
        urls("/k/l"),
    ),
    (
        "GlobalGroups_Secondary",
        only("allow: /", "user-agent: Berta", "disallow: /", "user-agent: Clara", "disallow: /"),
        "Dora",
        urls("/k/l"),
    ),
    ("AllowDisallow_Value_CaseSensitive", only("disallow: /k/"), "Anna", urls(no="/k/l")),
    ("AllowDisallow_Value_CaseSensitive", only("disallow: /K/"), "Anna", urls("/k/l")),
    ("LongestMatch", only("disallow: /k/leaf.html", "allow: /k/"), "Anna", urls(no="/k/leaf.html")),
    ("LongestMatch", only("allow: /k/leaf.html", "disallow: /k/"), "Anna", urls("/k/leaf.html", "/k/")),
    ("LongestMatch", only("disallow: ", "allow: "), "Anna", urls("/k/leaf.html")),
    ("LongestMatch", only("disallow: /", "allow: /"), "Anna", urls("/k/leaf.html")),
    ("LongestMatch", only("disallow: /k", "allow: /k/"), "Anna", urls("/k/", "/k")),
    ("LongestMatch", only("disallow: /k/leaf.html", "allow: /k/leaf.html"), "Anna", urls("/k/leaf.html")),
    ("LongestMatch", only("allow: /leaf", "disallow: /*.html"), "Anna", urls("/leaf", "/leaf.html")),
    ("LongestMatch", only("allow: /k/leaf.", "disallow: /*.html"), "Anna", urls("/k/leaf.html", "/k/l.html")),
    (
        "LongestMatch",
        "User-agent: *\nDisallow: /k/\n" + only("Disallow: /l/"),
        "Anna",
        urls("/k/leaf", "/l/leaf"),
    ),
    (
        "Encoding",
        only("Disallow: /", "Allow: /go/to?a=b&next=https://site.example?c&d"),
        "Anna",
        urls("/go/to?a=b&next=https://site.example?c&d"),
    ),
    ("Encoding", only("Disallow: /", "Allow: /go/to/鳥"), "Anna", urls("/go/to/%E9%B3%A5", "/go/to/鳥")),
    (
        "Encoding",
        only("Disallow: /", "Allow: /go/to/%E9%B3%A5"),
        "Anna",
        urls("/go/to/%E9%B3%A5", "/go/to/鳥"),
    ),
    (
        "Encoding",
        only("Disallow: /", "Allow: /go/to/%61%62%63"),
        "Anna",
        urls("/go/to/%61%62%63", "/go/to/abc"),
    ),
    (
        "SpecialCharacters",
        only("Disallow: /go/to/end", "Allow: /go/*/fro"),
        "Anna",
        urls("/go/end /go//end /go/tp/end", "/go/to/end"),
    ),
    (
        "SpecialCharacters",
        only("Disallow: /go/to$", "Allow: /go/to/fro"),
        "Anna",
        urls("/go/to/fro /go/to/ /go/to/end", "/go/to"),
    ),
    (
        "SpecialCharacters",
        only("# Disallow: /", "Disallow: /go/end#really", "Allow: /"),
        "Anna",
        urls("/go/to", "/go/end"),
    ),
    (
        "IndexHTMLisDirectory",
        "User-Agent: *\nAllow: /shown/index.html\nDisallow: /\n",
        "Anna",
        urls("/shown/ /shown/index.html", "/shown/index.htm /other"),
    ),
    ("LineTooLong", only(f"disallow: {LONG}/cut"), "Anna", urls("/deep", f"{LONG}/kept")),
    (
        "LineTooLong",
        only("disallow: /", f"allow: {LONG_A}/cut", f"allow: {LONG_B}/cut"),
        "Anna",
        urls(f"{LONG_A}/cut {LONG_B}/kept", "/"),
    ),
    *[
        (
            "DocumentationChecks",
            shop(allow),
            "Anna",
            urls(
                "/bird /bird.html /bird/owl.html /birdcages /birdcages/big.html /bird.html?n=1",
                "/mouse /Bird.asp /blackbird /?n=bird",
            ),
        )
        for allow in ("/bird", "/bird*")
    ],
    (
        "DocumentationChecks",
        shop("/bird/"),
        "Anna",
        urls(
            "/bird/ /bird/owl /bird/?owl /bird/owl.html /bird/?n=1", "/mouse /bird /bird.html /Bird/Owl.html"
        ),
    ),
    (
        "DocumentationChecks",
        shop("/*.php"),
        "Anna",
        urls(
            "/name.php /in/name.php /in/name.php?par //in/any.php.rest.html /name.php/ /index?f=name.php/",
            "/mouse /php/ /index?php /names.PHP",
        ),
    ),
    (
        "DocumentationChecks",
        shop("/*.php$"),
        "Anna",
        urls(
            "/name.php /in/name.php",
            "/mouse /name.php?par /name.php/ /name.php5 /php/ /name?php /xxphpxx //names.PHP",
        ),
    ),
    (
        "DocumentationChecks",
        shop("/bird*.php"),
        "Anna",
        urls("/bird.php /birdcages/blackbird.php?par", "/mouse /Bird.PHP"),
    ),
    ("DocumentationChecks", only("allow: /q", "disallow: /"), "Anna", urls("/queue")),
    ("DocumentationChecks", only("allow: /shelf", "disallow: /shelf"), "Anna", urls("/shelf/book")),
    ("DocumentationChecks", only("allow: /leaf", "disallow: /*.htm"), "Anna", urls(no="/leaf.htm")),
    ("DocumentationChecks", only("allow: /$", "disallow: /"), "Anna", urls("/", "/leaf.html")),
    (
        "NonStandardLineExample_Sitemap",
        only("Allow: /k", "Sitemap: https://site.example/map.xml"),
        "Anna",
        {},
    ),
    (
        "NonStandardLineExample_Sitemap",
        "Sitemap: https://site.example/map.xml\n" + only("Allow: /k"),
        "Anna",
        {},
    ),
]

# VerifyValidUserAgentsToObey
NAMES = {"Annabot": True, "Annabot-Lee": True, "Anna_Lee": True} | dict.fromkeys(
    ("", "鳥", "Annabot*", " Annabot ", "Annabot/2.1", "Annabot Lee"), False
)

_SIX = ["User-Agent: anna", "Allow: /a/path", "User-Agent: berta", "", "", "Disallow: /"]
# LinesNumbersAreCountedCorrectly: four lines that say something, the last of which is line 6.
SIX_LINES = [
    *[end.join([*_SIX, ""]).encode() for end in ("\n", "\r\n", "\r")],
    "\n".join(_SIX).encode(),
    b"User-Agent: anna\nAllow: /a/path\r\nUser-Agent: berta\n\r\n\nDisallow: /",
]
# UTF8ByteOrderMarkIsSkipped: how many of two lines are understood.
MARKS = [
    (b"\xef\xbb\xbfUser-Agent: anna\nAllow: /Any\n", 2),
    (b"\xef\xbbUser-Agent: anna\nAllow: /Any\n", 2),
    (b"\xefUser-Agent: anna\nAllow: /Any\n", 2),
    (b"\xef\x11\xbfUser-Agent: anna\nAllow: /Any\n", 1),
    (b"User-Agent: anna\n\xef\xbb\xbfAllow: /Any\n", 1),
]
# GetPathParamsQuery
PATHS = {
    "": "/",
    H: "/",
    f"{H}/": "/",
    f"{H}/k": "/k",
    f"{H}/k/": "/k/",
    f"{H}/k/l?m=http://n.o/": "/k/l?m=http://n.o/",
    f"{H}/k/l?m=n&o=p#part": "/k/l?m=n&o=p",
    "site.example": "/",
    "site.example/": "/",
    "site.example/k": "/k",
    "site.example/k/": "/k/",
    "site.example/k/l?m=n&o=p#part": "/k/l?m=n&o=p",
    "k": "/",
    "k/": "/",
    "/k": "/k",
    "k/l": "/l",
    "site.example?k": "/?k",
    "site.example/k;l#m": "/k;l",
    "//k/l/m": "/l/m",
}
# MaybeEscapePattern
PIECES = {"https://site.example": "https://site.example", "/k/l/m": "/k/l/m", "ö": "%C3%B6", "%bb": "%BB"}

PUBLISHED = frozenset(name for name, *_ in CASES) | {
    "VerifyValidUserAgentsToObey",
    "LinesNumbersAreCountedCorrectly",
    "UTF8ByteOrderMarkIsSkipped",
    "GetPathParamsQuery",
    "MaybeEscapePattern",
}
