"""What manuals may print and nobody owns, for `pii` with `examples = false`.

    email    at example.com, .net, .org, .edu or below them, and under .example, .test, .invalid, .localhost         RFC 2606, RFC 6761
    ip       192.0.2.0/24, 198.51.100.0/24, 203.0.113.0/24; 2001:db8::/32, 3fff::/20                                 RFC 5737, RFC 3849, RFC 9637
    phone    North America's 555-0100 to 555-0199; five numbers of Twilio's manual and its area codes 500 and 555    NANPA, twilio.com
             Great Britain's numbers for drama; France's for films                                                   Ofcom, ARCEP
             digits in a row from 1 ("+1234567890", "+12345678901")
    card     the numbers that payment providers print for tests                                                      Stripe, PayPal
    iban     GB29NWBK60161331926819, DE89370400440532013000, FR1420041010050500013M02606                             ISO 13616 registry

Other values that a manual invented look like anybody's and are not told apart. A key has no range for examples; `pii_keys` leaves what says that it is a placeholder.
"""

from __future__ import annotations

import ipaddress
import re

_DOMAIN = re.compile(
    r"(?:.*\.)?(?:example\.(?:com|net|org|edu)|[\w-]+\.(?:example|test|invalid|localhost))", re.IGNORECASE
)
_SIGN = re.compile(r"@|&#64;|%40|\(at\)|\[at\]|\{at\}|<at>", re.IGNORECASE)
_DOT = re.compile(r" ?[(\[{](?:dot|punkt)[)\]}] ?", re.IGNORECASE)
_NETS = tuple(
    map(
        ipaddress.ip_network,
        ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20"),
    )
)
_PHONE = re.compile(
    r"1?[2-9]\d\d55501\d\d|1(?:500|555)\d{7}|1(?:5017122661|5017122662|4155552671|4155238886|8777804236)"
    r"|(?:44|0)(?:20794600|1[1-6]14960|1914980|2896496|2920180|1632960|7700900|8081570|9098790|3069990)\d{3}"
    r"|(?:33|0)(?:19900|26191|35301|46571|53649|63998)\d{4}"
    r"|12345678(?:9|90|901)?"
)
_CARDS = frozenset([
    "4111111111111111",
    "4242424242424242",
    "4012888888881881",
    "4000056655665556",
    "4000000000000002",
    "4222222222222",
    "5555555555554444",
    "5105105105105100",
    "5200828282828210",
    "2223003122003222",
    "378282246310005",
    "371449635398431",
    "378734493671000",
    "6011111111111117",
    "6011000990139424",
    "30569309025904",
    "38520000023237",
    "3056930009020004",
    "3530111333300000",
    "3566002020360505",
    "6200000000000005",
])  # fmt: skip
_IBANS = frozenset({"GB29NWBK60161331926819", "DE89370400440532013000", "FR1420041010050500013M02606"})


def is_example(kind: str, value: str) -> bool:
    """Whether a value of that kind is one of those above.

    >>> is_example("email", "john@mail.example.com"), is_example("ip", "81.174.22.190")
    (True, False)
    """
    if kind == "email":
        return bool(_DOMAIN.fullmatch(_DOT.sub(".", _SIGN.split(value)[-1].strip())))
    if kind == "ip":
        address = ipaddress.ip_address(value)
        return any(address in net for net in _NETS)
    plain = re.sub(r"\W", "", value.replace("(0)", "")).upper()
    if kind == "phone":
        return bool(_PHONE.fullmatch(plain.removeprefix("00")))
    return plain in (_CARDS if kind == "card" else _IBANS if kind == "iban" else ())
