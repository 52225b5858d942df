import re
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from corpus.phases.edits import apply
from plugins.cleaners import presidio
from plugins.cleaners.presidio import Presidio
from schemas.errors import MissingExtra, UserError


@dataclass
class Found:
    entity_type: str
    start: int
    end: int
    score: float


class Fake:
    """Finds words with a capital, and the word behind a placeholder, as a model may."""

    def analyze(self, text, language, entities, score_threshold):
        found = [Found("PERSON", *m.span(), 0.85) for m in re.finditer(r"\b[A-Z][a-z]+\b", text)]
        found += [Found("PERSON", *m.span(), 0.6) for m in re.finditer(r"(?<=\] )[a-z]+ \w+", text)]
        found += [Found("LOCATION", *m.span(), 0.9) for m in re.finditer(r"Port [A-Z][a-z]+", text)]
        found += [Found("PERSON", *m.span(), 0.99) for m in re.finditer(r"PERSON", text)]
        return [
            one
            for one in found
            if one.score >= score_threshold and (entities is None or one.entity_type in entities)
        ]


@pytest.fixture(autouse=True)
def _fake(monkeypatch):
    monkeypatch.setattr(presidio, "analyzer_of", lambda model, language: Fake())


def clean(text, **options):
    return apply(text, Presidio(**options).clean(text))


def test_findings_become_placeholders_and_the_surer_has_the_span():
    assert clean("in Port Vale, Dana slept", min_score=0.8) == "in [LOCATION], [PERSON] slept"


def test_placeholders_stay_and_what_is_found_because_of_one_goes_too():
    assert clean("[EMAIL] and [PERSON]") == "[EMAIL] and [PERSON]"
    assert clean("Dana von au") == "[PERSON] [PERSON]"


def test_only_the_entities_asked_for_go():
    assert clean("in Port Vale, Dana slept", entities=("LOCATION",)) == "in [LOCATION], Dana slept"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["Dana", "Port Vale", "x", " ", "[PERSON]", "[EMAIL]", ". "])).map("".join))
def test_cleaning_twice_changes_nothing_more(text):
    once = clean(text)
    assert clean(once) == once


def test_what_is_missing_is_named_when_the_recipe_is_read(monkeypatch):
    def none(_distribution):
        raise presidio.PackageNotFoundError

    monkeypatch.setattr(presidio, "version", none)
    with pytest.raises(MissingExtra, match=r"gristmill\[presidio\]"):
        Presidio().check()
    monkeypatch.setattr(
        presidio, "version", lambda name: "2.2" if name == "presidio-analyzer" else none(name)
    )
    with pytest.raises(UserError, match="en_core_web_sm"):
        Presidio().check()
