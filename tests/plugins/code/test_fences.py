from hypothesis import given, strategies as st

from plugins.code.fences import fences

LINES = st.lists(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp", "Cs"]), max_size=20),
    max_size=8,
)


def test_a_fence_in_a_list_in_a_quote_gives_its_code_without_what_stands_before_it():
    text = "> - item\n>\n>   ~~~~ruby title=x\n>   puts 1\n>\n>     puts 2\n>   ~~~~\n"
    (fence,) = fences(text)
    assert (fence.info, fence.code, fence.closed) == ("ruby", "puts 1\n\n  puts 2\n", True)


def test_a_longer_fence_holds_shorter_ones_and_one_without_an_end_says_so():
    text = "````md\n```py\nx\n```\n````\n\n```\nopen"
    first, last = fences(text)
    assert (first.code, first.closed) == ("```py\nx\n```\n", True)
    assert (last.code, last.closed) == ("open\n", False)


@given(LINES)
def test_code_comes_back_as_it_was_written(lines):
    code = "".join(f"{line}\n" for line in lines if "````" not in line)
    (fence,) = fences(f"````x\n{code}````\n")
    assert fence.code == code
