import polars as pl
import pytest
from pydantic import ValidationError

from plugins.contracts import Threshold
from plugins.filters.license import License, code_of


def verdicts(license_filter, stated):
    documents = pl.DataFrame(
        {"text": [None] * len(stated), "license": stated}, schema={"text": pl.String, "license": pl.String}
    )
    scores = license_filter.score_documents(documents)
    rules = license_filter.rules()
    fails = scores.select(rule.fails.fill_null(value=True).alias(rule.reason) for rule in rules)
    return [next((rule.reason for rule in rules if row[rule.reason]), None) for row in fails.to_dicts()]


@pytest.mark.parametrize(
    ("stated", "code"),
    [
        ("https://creativecommons.org/licenses/by-sa/4.0/", "CC-BY-SA-4.0"),
        ("http://creativecommons.org/licenses/by-nc-nd/3.0/us/deed.en", "CC-BY-NC-ND-3.0"),
        ("CC BY-NC-SA 4.0", "CC-BY-NC-SA-4.0"),
        ("CC-BY-SA", "CC-BY-SA"),
        ("cc-by-4.0", "CC-BY-4.0"),
        ("Creative Commons Attribution-ShareAlike 4.0 International License", "CC-BY-SA-4.0"),
        ("Creative Commons Attribution-NonCommercial-NoDerivs 2.5", "CC-BY-NC-ND-2.5"),
        ("Creative Commons Attribution 3.0", "CC-BY-3.0"),
        ("https://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"),
        ("CC0", "CC0-1.0"),
        ("Public Domain", "public-domain"),
        ("https://creativecommons.org/publicdomain/mark/1.0/", "public-domain"),
        ("MIT", "MIT"),
        ("The MIT License (MIT)", "MIT"),
        ("https://opensource.org/licenses/MIT", "MIT"),
        ("Apache License, Version 2.0", "Apache-2.0"),
        ("apache-2.0", "Apache-2.0"),
        ("GPL-3.0-or-later", "GPL-3.0"),
        ("GNU General Public License v2", "GPL-2.0"),
        ("LGPL 2.1", "LGPL-2.1"),
        ("AGPL-3.0", "AGPL-3.0"),
        ("GNU Free Documentation License, Version 1.2", "GFDL-1.2"),
        ("BSD 3-Clause License", "BSD-3-Clause"),
        ("bsd-2-clause", "BSD-2-Clause"),
        ("MPL 2.0", "MPL-2.0"),
        ("ISC", "ISC"),
        ("© 2024 Example. All rights reserved.", "all-rights-reserved"),
        ("Not in the public domain", None),
        ("permitted", None),
        ("see terms", None),
        ("\0", None),
    ],
)
def test_phrases_and_addresses_become_codes_and_codes_stay_themselves(stated, code):
    assert code_of(stated) == code
    assert code is None or code_of(code) == code


def test_globs_keep_whatever_the_case_and_the_rest_goes_with_its_reason():
    stated = ["CC BY 4.0", "CC BY-NC 4.0", "MIT", None, "", "see terms"]
    assert verdicts(License(keep=("cc-by-4.0", "M*")), stated) == [
        None,
        "license",
        None,
        "unknown",
        "unknown",
        "unknown",
    ]
    assert verdicts(License(keep=("CC-BY-*",), unknown="keep"), stated) == [
        None,
        None,
        "license",
        None,
        None,
        None,
    ]


def test_a_full_stop_in_a_glob_is_a_full_stop():
    assert verdicts(License(keep=("CC-BY-4.0",)), ["CC-BY-4.0", "CC-BY-410"]) == [None, "license"]


def test_a_text_alone_states_nothing():
    assert License(keep=("MIT",)).score(pl.Series(["MIT", None])).rows() == [(None,), (None,)]


def test_what_is_kept_is_no_part_of_the_scores_identity():
    one, two = License(keep=("MIT",)), License(keep=("CC0-*",), unknown="keep")
    assert one.identity(without=Threshold) == two.identity(without=Threshold)


@pytest.mark.parametrize("options", [{"keep": ()}, {}, {"keep": ("MIT",), "unknown": "maybe"}])
def test_options_that_mean_nothing_are_refused(options):
    with pytest.raises(ValidationError):
        License(**options)
