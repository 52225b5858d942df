"""Which of C4's line rules hold (Raffel et al. 2020, section 2.2): the options that the filter `c4` and the cleaner `c4-lines` share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from plugins.contracts import Plugin

if TYPE_CHECKING:
    from plugins.kernels.c4_lines import LineRules


class C4Rules(Plugin):
    """Options in the order of the rules; each is on by default."""

    min_words_per_line: Annotated[int, Field(ge=0)] = 3
    """The fewest words of a line that stays."""
    max_word_length: Annotated[int, Field(ge=0)] = 1000
    """The most characters of a word in a line that stays; 0 allows any."""
    terminal_punctuation: bool = True
    """Whether a line that stays must end a sentence."""
    remove_citations: bool = True
    """Whether "[1]", "[edit]" and "[citation needed]" go, or are looked past."""
    lorem_ipsum: bool = True
    """Whether filler text drops the page; the cleaner leaves such a line for the filter to see."""
    curly_bracket: bool = True
    """Whether "{" drops the page; the cleaner leaves such a line as it is."""
    javascript: bool = True
    """Whether a line that says "javascript" goes."""
    policy: bool = True
    """Whether a line that names a policy, terms of use or cookies goes."""

    def line_rules(self) -> LineRules:
        """The options as the kernel takes them."""
        from plugins.kernels.c4_lines import LineRules

        return LineRules(
            min_words=self.min_words_per_line,
            max_word_length=self.max_word_length,
            punctuation=self.terminal_punctuation,
            citations=self.remove_citations,
            lorem_ipsum=self.lorem_ipsum,
            javascript=self.javascript,
            curly_bracket=self.curly_bracket,
            policy=self.policy,
        )
