import pyarrow as pa
import pytest

from corpus.phases.groups import group_ids
from schemas.errors import SplitError

DOCUMENTS = pa.table({
    "doc_id": ["1", "2", "3", "4", "5"],
    "source": ["forum", "forum", "other", "forum", "forum"],
    "url": ["https://www.a.org/x", "http://A.org:80/y", "https://b.org", None, "http://[broken"],
    "group": ["t", "t", "t", None, None],
    "author": ["Ann", None, "Ann", "Bo", None],
    "position": [1, 2, 1, None, 2],
})


def partition(group):
    ids = group_ids(DOCUMENTS, group)
    return [
        {doc for doc, other in zip("12345", ids, strict=True) if other == own} for own in dict.fromkeys(ids)
    ]


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        ("auto", ["12", "3", "4", "5"]),  # a thread's name counts within its source
        ("thread", ["12", "3", "4", "5"]),
        ("work", ["12", "3", "4", "5"]),
        ("site", ["12", "3", "4", "5"]),
        ("document", ["1", "2", "3", "4", "5"]),
        ("author", ["13", "2", "4", "5"]),
        ("position", ["13", "25", "4"]),
    ],
)
def test_documents_are_grouped_as_declared(group, expected):
    assert partition(group) == [set(members) for members in expected]


def test_a_document_without_a_group_is_its_own_and_has_its_id():
    assert group_ids(DOCUMENTS, "auto")[3:] == ["4", "5"]
    assert group_ids(DOCUMENTS, "document") == ["1", "2", "3", "4", "5"]


def test_an_unknown_column_is_refused_with_the_nearest_one():
    with pytest.raises(SplitError, match=r'split.group is "autor".*Nearest: "author"') as error:
        group_ids(DOCUMENTS, "autor")
    assert error.value.exit_code == 2
