"""Equal values have equal identities, different ones have not."""

from pathlib import Path

from hypothesis import given, strategies as st

from schemas.fingerprint import digest, digest_file, fingerprint, identify

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(json_values, json_values)
def test_fingerprints_are_equal_exactly_where_values_are(a: object, b: object) -> None:
    same = repr(_sorted(a)) == repr(_sorted(b))
    assert (fingerprint(a) == fingerprint(b)) == same


@given(st.lists(st.text()), st.lists(st.text()))
def test_no_two_tuples_of_strings_are_identified_alike(a: list[str], b: list[str]) -> None:
    assert (identify(*a) == identify(*b)) == (a == b)


@given(st.binary(max_size=100))
def test_a_file_is_identified_by_its_bytes(tmp_path_factory: object, data: bytes) -> None:
    path = Path("/tmp") / f"gristmill-{digest(data)}"
    path.write_bytes(data)
    try:
        assert digest_file(path) == digest(data)
    finally:
        path.unlink()


def _sorted(value: object) -> object:
    if isinstance(value, dict):
        return {"d": sorted((key, repr(_sorted(inner))) for key, inner in value.items())}
    return [_sorted(inner) for inner in value] if isinstance(value, list) else value
