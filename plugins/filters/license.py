"""Licences: what a page or a table row states, as one code, and which of them to keep.

    rule      drops a document
    license   whose licence is recognised and matches none of `keep`
    unknown   whose licence is missing or not recognised, unless `unknown = "keep"`

Codes are those of SPDX where it has one: CC-BY-4.0, CC-BY-SA-3.0, CC0-1.0, MIT, Apache-2.0, GPL-3.0. Creative Commons licences
without a version are CC-BY, CC-BY-SA …; ports to a jurisdiction ("by/3.0/de") count as the licence that they port. "-only" and
"-or-later" are left off the GNU licences. A work in the public domain, or marked so, is `public-domain`.

Of several licences stated at once one is told: Creative Commons first, then GNU, then the rest in the order below. What denies one ("not under
the MIT licence") is not recognised. What is recognised is what the page says of itself; nothing here proves that its sender had the right to say so.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import field_validator

from plugins.contracts import Filter, Rule, Threshold

if TYPE_CHECKING:
    import polars as pl

_CC_ADDRESS = re.compile(r"creativecommons\.org/licen[sc]es/(by(?:-[a-z]{2})*)(?:/(\d\.\d))?")
_CC_CODE = re.compile(r"\bcc[ -]?(by(?:[ -](?:nc|sa|nd))*)\b(?:[ -]?v?(\d\.\d))?")
_CC_WORDS = re.compile(
    r"(?:creative commons|\bcc)[\s:,-]*(?:licen[sc]e[\s:,-]*)?attribution"
    r"((?:[\s,-]*(?:and\s+)?(?:non-?\s?commercial|share[\s-]?alike|no[\s-]?deriv(?:ative)?s?(?: works)?))*)"
    r"(?:\D{0,40}?(\d\.\d))?"
)
_PLAIN: tuple[tuple[str, str], ...] = (
    (r"creativecommons\.org/(?:publicdomain/zero|licenses/zero)|\bcc[ -]?0\b|\bcc[ -]zero\b", "CC0-1.0"),
    (
        r"creativecommons\.org/(?:publicdomain/mark|licenses/publicdomain)|public[ -]domain|\bpdm\b",
        "public-domain",
    ),
    (r"\bunlicense\b", "Unlicense"),
    (
        r"\bapache[ -]?(?:software )?(?:licen[sc]e)?[ ,-]*(?:v(?:ersion)?)?[ .-]*2|apache\.org/licenses/license-2",
        "Apache-2.0",
    ),
    (
        r"\bmozilla public licen[sc]e|\bmpl[ -]?(?:v(?:ersion)?)?[ -]?2|mozilla\.org/(?:\w\w-\w\w/)?mpl",
        "MPL-2.0",
    ),
    (
        r"\b(?:bsd[ -]3|3[ -]clause bsd)|new bsd licen[sc]e|modified bsd licen[sc]e|licenses/bsd-3-clause",
        "BSD-3-Clause",
    ),
    (r"\b(?:bsd[ -]2|2[ -]clause bsd)|simplified bsd licen[sc]e|licenses/bsd-2-clause", "BSD-2-Clause"),
    (r"^isc$|\bisc licen[sc]e|licenses/isc\b", "ISC"),
    (r"^mit$|\b(?:mit|expat) licen[sc]e|licen[sc]ed? under (?:the )?mit\b|licenses/mit\b", "MIT"),
    (r"open database licen[sc]e|\bodbl\b", "ODbL-1.0"),
    (r"open government licen[sc]e|\bogl-uk\b|open-government-licence", "OGL-UK-3.0"),
    (r"project gutenberg", "Project-Gutenberg"),
    (
        r"all[ -]rights[ -]reserved|alle rechte vorbehalten|tous droits réservés|todos los derechos reservados",
        "all-rights-reserved",
    ),
)
_RULES = tuple((re.compile(pattern), code) for pattern, code in _PLAIN)
_GNU = re.compile(
    r"\b(?P<kind>agpl|lgpl|gfdl|fdl|gpl|gnu (?:affero|lesser|library|free documentation|general)(?: general)?(?: public)? ?licen[sc]e)"
    r"(?:\D{0,20}?(?P<version>\d(?:\.\d)?))?"
)
_DENIED = re.compile(r"\b(?:not|no longer) (?:in the |in |a |under |available|licen[sc]ed|released|public)")
_GNU_KIND = (
    ("affero", "AGPL"),
    ("agpl", "AGPL"),
    ("lesser", "LGPL"),
    ("library", "LGPL"),
    ("lgpl", "LGPL"),
    ("fdl", "GFDL"),
    ("free doc", "GFDL"),
)


class License(Filter):
    """Brings what a document states as its licence to one code; keeps the licences named."""

    name = "license"
    requires: ClassVar[tuple[str, ...]] = ("polars",)
    scores: ClassVar[tuple[str, ...]] = ("license_code",)
    reads: ClassVar[tuple[str, ...]] = ("license",)

    keep: Annotated[tuple[str, ...], Threshold()]
    """Codes to keep, with * for any: `keep = ["CC-BY-*", "CC0-*", "public-domain", "MIT"]`. "CC-BY-*" takes CC-BY-SA and CC-BY-NC too. Case does not matter."""
    unknown: Annotated[Literal["drop", "keep"], Threshold()] = "drop"
    """What becomes of documents without a licence that is recognised."""

    @field_validator("keep")
    @classmethod
    def _some(cls, keep: tuple[str, ...]) -> tuple[str, ...]:
        if not keep:
            raise ValueError(
                'names no licence; give some, as in keep = ["CC-BY-*", "CC0-*", "public-domain"]'
            )
        return keep

    def score(self, texts: pl.Series) -> pl.DataFrame:
        """Null: a text alone states nothing."""
        import polars as pl

        return self.score_documents(pl.DataFrame({"text": texts, "license": [None] * len(texts)}))

    def score_documents(self, documents: pl.DataFrame) -> pl.DataFrame:
        """license_code; null where nothing is stated or what is stated is not recognised."""
        import polars as pl

        codes = [code_of(stated) if stated else None for stated in documents["license"].cast(pl.String)]
        return pl.DataFrame({"license_code": codes}, schema={"license_code": pl.String})

    def rules(self) -> Sequence[Rule]:
        """First what is recognised, then what is not."""
        import polars as pl

        code = pl.col("license_code")
        kept = pl.any_horizontal([code.str.to_lowercase().str.contains(_regex(glob)) for glob in self.keep])
        rules = [
            Rule("license", (~kept).fill_null(value=False), "license_code", f"not in {', '.join(self.keep)}")
        ]
        if self.unknown == "drop":
            rules.append(Rule("unknown", code.is_null(), "license_code", "not recognised"))
        return rules


LONGEST = 1000
"""Characters looked at: pages state licences, and a hostile one at any length."""


@lru_cache(maxsize=4096)
def code_of(stated: str) -> str | None:
    """The code of a licence as it is stated, by address or by name; None where it is not recognised.

    >>> code_of("https://creativecommons.org/licenses/by-sa/4.0/deed.de"), code_of("MIT License")
    ('CC-BY-SA-4.0', 'MIT')
    """
    text = " ".join(stated[:LONGEST].lower().split())
    if _DENIED.search(text):
        return None
    for pattern in (_CC_ADDRESS, _CC_CODE):
        if found := pattern.search(text):
            return _creative_commons(found[1].replace(" ", "-").split("-")[1:], found[2])
    if found := _CC_WORDS.search(text):
        terms = re.findall("non|share|no[ -]?d", found[1])
        return _creative_commons([{"non": "nc", "share": "sa"}.get(term, "nd") for term in terms], found[2])
    if found := _GNU.search(text):
        kind = next((code for word, code in _GNU_KIND if word in found["kind"]), "GPL")
        version = found["version"]
        return f"{kind}-{version if '.' in version else version + '.0'}" if version else kind
    return next((code for pattern, code in _RULES if pattern.search(text)), None)


def _creative_commons(terms: Sequence[str], version: str | None) -> str:
    ordered = [term.upper() for term in ("nc", "nd", "sa") if term in terms]
    return "-".join(["CC", "BY", *ordered, *([version] if version else [])])


def _regex(glob: str) -> str:
    """A glob, of which only * is special, as a regular expression for lower-cased codes."""
    return "^" + ".*".join(map(re.escape, glob.lower().split("*"))) + "$"
