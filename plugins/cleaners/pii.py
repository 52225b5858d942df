"""Personal data and secrets, each replaced by a placeholder that says of what kind it was.

    kind          what                                                              held to be one by
    email         addresses, "name (at) host.tld" too                               a top-level domain that is no file name's ending
    phone         international and national numbers                                libphonenumber, and how it is written (`pii_phones`)
    ip            IPv4 and IPv6 of the open internet                                ranges, and no version number before (`pii_addresses`)
    card          payment cards                                                     Luhn, brand, length and grouping (`pii_numbers`)
    iban          bank accounts                                                     ISO 13616 length of the country, mod 97 (`pii_numbers`)
    key           keys of well-known makers, bearer tokens, JWT, `api_key = …`      their form, else how random they are (`pii_keys`)
    private_key   PEM and PGP private key blocks                                    their first line and 40 characters of base64
    url_secret    passwords, tokens and signatures in URLs, that part alone         where in the URL it stands (`pii_urls`)

Names of people and postal addresses are not looked for: see `names` for who speaks in a thread, and `presidio`.

A kind further up in `ORDER` has the first claim on a span. Placeholders are never touched, and the text is gone through until
nothing more is found, since a replaced span may shorten the way from a number to the word that says what it is; only texts in which something was
found are read twice. Rejected: one regular expression for everything (a tenth of the speed, and no checksum), and libphonenumber's own
matcher (0.2 MB/s): here it judges what a scan for digits proposes.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable
from typing import ClassVar, Literal

from pydantic import Field

from plugins.cleaners import pii_addresses, pii_examples, pii_keys, pii_numbers, pii_phones, pii_urls
from plugins.contracts import Cleaner, Edit

Kind = Literal["email", "phone", "ip", "card", "iban", "key", "private_key", "url_secret"]
Span = tuple[int, int]

ORDER: tuple[Kind, ...] = ("private_key", "url_secret", "key", "email", "iban", "card", "ip", "phone")
_ROUNDS = 16
"""Every round replaces something, and two are a rarity."""


class Pii(Cleaner):
    """Replaces e-mail addresses, telephone and card numbers, IBANs, IP addresses, keys and secrets by typed placeholders.

    >>> from corpus.phases.edits import apply
    >>> text = "Mail dana@inn.example or ring (212) 555-0123. Version 1.2.3.4 runs on 81.174.22.190."
    >>> apply(text, Pii().clean(text))
    'Mail [EMAIL] or ring [PHONE]. Version 1.2.3.4 runs on [IP].'
    """

    name = "pii"
    requires: ClassVar[tuple[str, ...]] = ("phonenumbers",)
    kernels: ClassVar[tuple[str, ...]] = (
        "plugins.cleaners.pii_addresses",
        "plugins.cleaners.pii_columns",
        "plugins.cleaners.pii_examples",
        "plugins.cleaners.pii_keys",
        "plugins.cleaners.pii_numbers",
        "plugins.cleaners.pii_phones",
        "plugins.cleaners.pii_urls",
    )

    kinds: tuple[Kind, ...] = Field(default=ORDER, min_length=1)
    """What is replaced: email, phone, ip, card, iban, key, private_key, url_secret."""
    regions: tuple[str, ...] = ("US", "GB", "DE", "FR", "IN")
    """Countries whose national telephone numbers are known, as ISO 3166 codes. International ones ("+47 …") are known for all."""
    placeholder: str = "[{kind}]"
    """What stands in place of a finding; {kind} becomes EMAIL, PHONE, …"""
    examples: bool = True
    """Replace what is reserved for examples as well: example.com, 192.0.2.7, 2001:db8::1, (212) 555-0123, cards for tests."""

    def check(self) -> None:
        """The regions exist."""
        import phonenumbers

        if unknown := [region for region in self.regions if region not in phonenumbers.SUPPORTED_REGIONS]:
            near = unknown[0].upper().replace("UK", "GB")
            raise ValueError(
                f'regions: "{unknown[0]}" is no country with telephone numbers; give two capital letters'
                + (f': "{near}"' if near in phonenumbers.SUPPORTED_REGIONS else ', as in "GB"')
            )

    def clean(self, text: str) -> list[Edit]:
        """One edit for each finding. Raises ValueError for a text that does not come to rest."""
        made: list[Edit] = []
        now = text
        for _ in range(_ROUNDS):
            found = self._found(now)
            if not found:
                return made
            made = merged(made, found)
            now = applied(text, made)
        raise ValueError(f"the text still changes after {_ROUNDS} rounds")

    def findings(self, text: str) -> list[tuple[int, int, Kind]]:
        """[start, end) and kind of what one pass finds: ascending, not overlapping."""
        taken = Taken(self._placeholders(text))
        found: list[tuple[int, int, Kind]] = []
        for kind in ORDER:
            if kind not in self.kinds:
                continue
            for start, end in self._finder(kind)(text):
                if taken.add(start, end) and (
                    self.examples or not pii_examples.is_example(kind, text[start:end])
                ):
                    found.append((start, end, kind))
        return sorted(found)

    def _found(self, text: str) -> list[Edit]:
        return [Edit(start, end, self._stand_in(kind)) for start, end, kind in self.findings(text)]

    def _stand_in(self, kind: Kind) -> str:
        return self.placeholder.replace("{kind}", kind.upper())

    def _placeholders(self, text: str) -> list[Span]:
        """Where placeholders stand, of whatever kind."""
        spans: list[Span] = []
        for word in dict.fromkeys(map(self._stand_in, ORDER)):
            if word.strip() and word in text:
                spans += [match.span() for match in re.finditer(re.escape(word), text)]
        return spans

    def _finder(self, kind: Kind) -> Callable[[str], Iterable[Span]]:
        if kind == "phone":
            return lambda text: pii_phones.phones(text, self.regions)
        return _FINDERS[kind]


_FINDERS: dict[str, Callable[[str], Iterable[Span]]] = {
    "private_key": pii_keys.private_keys,
    "url_secret": pii_urls.url_secrets,
    "key": pii_keys.keys,
    "email": pii_addresses.emails,
    "iban": pii_numbers.ibans,
    "card": pii_numbers.cards,
    "ip": pii_addresses.ips,
}


class Taken:
    """Spans that do not overlap."""

    def __init__(self, spans: Iterable[Span]) -> None:
        self._spans: list[Span] = []
        for start, end in sorted(spans):
            self.add(start, end)

    def add(self, start: int, end: int) -> bool:
        """Whether [start, end) was free, and is now taken."""
        at = bisect_right(self._spans, (start, end))
        if start >= end or (at and self._spans[at - 1][1] > start):
            return False
        if at < len(self._spans) and self._spans[at][0] < end:
            return False
        self._spans.insert(at, (start, end))
        return True


def merged(made: list[Edit], found: list[Edit]) -> list[Edit]:
    """Edits of a text and edits of what they made of it, as edits of the text. The latter touch no stand-in, but may enclose one of no characters."""
    bounds: list[
        tuple[int, int]
    ] = []  # where each stand-in ends, and by how much the text is longer behind it
    shift = 0
    for edit in made:
        shift += (edit.end - edit.start) - len(edit.after)
        bounds.append((edit.end - shift, shift))

    def back(place: int, *, closing: bool) -> int:
        at = bisect_right(bounds, (place, -1 if closing else len(bounds) << 60))
        return place + (bounds[at - 1][1] if at else 0)

    moved = [Edit(back(e.start, closing=False), back(e.end, closing=True), e.after) for e in found]
    left = [
        edit for edit in made if not any(new.start <= edit.start and edit.end <= new.end for new in moved)
    ]
    return sorted([*left, *moved], key=lambda edit: edit.start)


def applied(text: str, edits: list[Edit]) -> str:
    """The text with its edits made."""
    pieces, done = [], 0
    for edit in edits:
        pieces += [text[done : edit.start], edit.after]
        done = edit.end
    return "".join([*pieces, text[done:]])
