"""Which language a piece of code is in.

    1. what is stated: the ending of its file's name, the word behind its fence, a column
    2. what it says itself: an interactive prompt, a "#!" line, "<?php"
    3. else marks, then parses: the languages whose marks (below) it shows most of (in 2 KB of its start and 2 KB of its middle), three at most, are each asked to parse the first 8 KB;
       the fewest bytes in error win, then the most marks, then the order of `LANGUAGES`. Fewer than two marks are believed only where the
       parse is free of errors, and none at all says that the text is not code. A text with hardly any brackets, semicolons and the like is not code either: that is asked first, being quick.

Marks are regular expressions that prose seldom meets, since "not code" must be an answer: a grammar alone cannot give it (Ruby's and Bash's
take most English sentences). Rejected: a trained classifier (Guesslang, Magika): half a gigabyte of runtime for a guess that parsing checks.
"""

from __future__ import annotations

import re

from plugins.code.languages import BY_NAME, LANGUAGES, Language, of_shebang
from plugins.code.parsing import Unparsed, parse, wrong_bytes
from plugins.code.prompts import session

LOOKED_AT = 8 << 10
"""Characters."""
SAMPLE = 2 << 10
"""Characters of the start and of the middle in which marks are looked for: many files begin with a licence."""
CANDIDATES = 3
SYMBOLS = "(){}[];=<>_$#"
MIN_SYMBOLS = 0.012
"""Share of characters that are one of `SYMBOLS`, below which a text is prose. Measured: see docs/code.md."""

_MARKS: dict[str, tuple[str, ...]] = {
    "python": (
        r"^[ \t]*(?:async )?def \w+\(.*", r"^[ \t]*class \w+(?:\([\w., =]*\))?:\s*$", r"^(?:from [\w.]+ )?import [\w., *()]+(?: as \w+)?$",
        r"^[ \t]*(?:if|elif|for|while|with|try|except|else)\b[^{};]*:\s*(?:#.*)?$", r"\bself\.\w+", r"^[ \t]*@\w[\w.]*(?:\(.*\))?\s*$",
        r"^[ \t]*(?:return|yield|raise|assert) [^;{]*[^;{\s]$", r'"""', r"\bNone\b|\bTrue\b|\bFalse\b", r"^[ \t]*print\(.*\)$", r"^[a-z_]\w* = [\w(\[{\"'][^;]*$",
    ),
    "javascript": (
        r"\b(?:const|let|var) [\w${\[][^;\n]*=", r"=>\s*[{(\w]", r"\bfunction\s*\*?\s*[\w$]*\s*\(", r"\bconsole\.\w+\(", r"===|!==",
        r"\brequire\(['\"]", r"^[ \t]*(?:import|export) .*from ['\"]", r"\b(?:module\.)?exports\b", r"\bdocument\.\w+|\bwindow\.\w+", r"^[ \t]*(?:export )?(?:default )?(?:async )?(?:function|class) \w+",
    ),
    "typescript": (
        r"^[ \t]*(?:export )?(?:declare )?interface \w+[^;]*\{", r"\b(?:const|let|var) \w+\s*:\s*[\w<>\[\]|{]", r"^[ \t]*(?:export )?(?:declare )?type \w+(?:<[^=]*>)? =", r"\w\??:\s*(?:string|number|boolean|void|any|unknown|never)\b",
        r"\)\s*:\s*[\w<>\[\]|]+\s*(?:=>|\{)", r"\b(?:private|public|protected|readonly) \w+\s*[:(]", r"\bas (?:const|any|unknown|string)\b", r"^[ \t]*(?:export )?(?:declare )?(?:enum|namespace|abstract class) \w+",
        r"^[ \t]*import (?:type )?.*from ['\"]", r"=>\s*[{(\w]",
    ),
    "java": (
        r"^[ \t]*package [\w.]+;", r"^[ \t]*import (?:static )?[\w.]+(?:\.\*)?;", r"\bpublic (?:static |final |abstract )*(?:class|interface|enum|void|\w+(?:<.*>)?(?:\[\])?) \w+", r"\bSystem\.(?:out|err)\.",
        r"^[ \t]*@(?:Override|Test|Deprecated|Nullable|Autowired)\b", r"\b(?:private|protected) (?:static |final )*[\w<>\[\], ]+ \w+\s*[;=(]", r"\bnew \w+(?:<.*>)?\(", r"\b(?:String|int|boolean|List<\w+>) \w+\s*[=;,)]", r"\bthrows \w+", r"\b(?:extends|implements) [A-Z]\w+",
    ),
    "c": (
        r"^[ \t]*#[ \t]*include\s*[<\"][\w./-]+\.h[>\"]", r"^[ \t]*#[ \t]*(?:define|ifdef|ifndef|undef|endif|if)\b", r"\b(?:int|void|char|double|float|long|unsigned|size_t)\s+\*?\s*\w+\s*\([^;{]*\)\s*[{;]", r"\bprintf\s*\(", r"\bstruct \w+\s*[{*\w]",
        r"\b(?:malloc|free|sizeof|strlen|memcpy)\s*\(", r"->\w+", r"\btypedef\b", r"\b(?:int|char|double|float|unsigned|size_t|uint\d+_t) \*?\w+(?:\[\w*\])?\s*[;=,]", r"\bNULL\b",
    ),
    "cpp": (
        r"^[ \t]*#[ \t]*include\s*<\w+>", r"\bstd::\w+", r"\b(?:class|struct) \w+(?:\s*final)?\s*(?::\s*(?:public|private) [\w:<>]+)?\s*\{", r"\btemplate\s*<", r"\bnamespace [\w:]*\s*\{", r"\busing namespace \w+;", r"\w::~?\w+",
        r"\b(?:public|private|protected):\s*$", r"\bnullptr\b|\bconstexpr\b|\bnoexcept\b", r"\bconst \w[\w:<>]*\s*&", r"^[ \t]*#[ \t]*(?:include|pragma|define|ifndef)\b", r"\bauto\s*[&*]*\w+\s*=", r"\bvector<", r"\bint main\s*\(",
    ),
    "go": (
        r"^package \w+\s*$", r"^func (?:\([^)]*\) )?\w+\(", r":=", r"^import (?:\(|\")", r"^type \w+ (?:struct|interface|func)\b", r"\bfmt\.\w+\(", r"\berr != nil\b", r"\bchan \w+|\bgo func\b|\bdefer \w", r"\bmake\(|\[\]\w+\{", r"^\t+\w+(?:, \w+)* := ",
    ),
    "rust": (
        r"\bfn \w+(?:<[^(]*>)?\s*\(", r"\blet (?:mut )?\w+(?:\s*:\s*[\w<>&]+)?\s*=", r"\b(?:println|format|vec|assert_eq|assert|panic|write)!\s*[(\[]", r"^[ \t]*(?:pub )?(?:struct|enum|trait|impl|mod|use)\b[^.]*[{;]", r"->\s*(?:Result|Option|Self|&|\w+\s*\{)",
        r"#!?\[\w+", r"&(?:mut |'?\w*\s*)?self\b", r"\bSome\(|\bOk\(|\bErr\(", r"\bmatch \w.*\{", r"\w::\w+",
    ),
    "csharp": (
        r"^[ \t]*using (?:static )?[A-Z][\w.]*;", r"^[ \t]*namespace [\w.]+\s*[{;]?\s*$", r"\bConsole\.(?:Write|Read)", r"\{\s*get;", r"\b(?:public|private|internal|protected) (?:static |override |async |sealed |partial |readonly |virtual )*(?:class|void|string|int|bool|Task|var|\w+(?:<.*>)?) \w+",
        r"\basync Task\b", r"^[ \t]*\[\w+(?:\(.*\))?\]\s*$", r"\b(?:string|bool|int|var) \w+\s*[=;,)]", r"\bforeach \(", r"\bnew \w+(?:<.*>)?[({]", r"\bnameof\(|\$\"",
    ),
    "php": (r"<\?(?:php|=)", r"\$\w+\s*(?:=|->|\[|\.=)", r"^[ \t]*(?:public |private |protected |static )*function \w+\(", r"\$this->", r"^[ \t]*(?:namespace|use) [\w\\]+;", r"\becho ['\"$]", r"\bforeach \(\$", r"\w::\$?\w+", r"\barray\("),
    "ruby": (
        r"^[ \t]*def (?:self\.)?\w+[?!=]?(?:\s*\(.*\))?\s*$", r"^[ \t]*end\s*$", r"\bdo \|[\w, *&]+\|", r"^[ \t]*require(?:_relative)? ['\"]", r"^[ \t]*(?:module|class) [A-Z]\w*(?:::\w+)*(?:\s*<\s*[\w:]+)?\s*$", r"\bputs\b ", r"^[ \t]*attr_\w+ :", r"\.each\b|\.map\b",
        r"(?<![\w:]):[a-z_]\w*\b(?!:)", r"\bunless\b.*|\belsif\b", r"@\w+\s*(?:\|\|)?=", r"#\{[^}]*\}", r"=>\s*['\":\w]",
    ),
    "bash": (
        r"^[ \t]*(?:if|while|until) (?:\[|test|!|command)", r"^[ \t]*(?:fi|done|esac)\b", r"\bthen\s*$|;\s*then\b", r"\$\{?[A-Za-z_@#*\d]\w*\}?(?![\w\s]*(?:=|->))", r"^[ \t]*(?:sudo |export |echo |cd |mkdir |rm |cp |mv |apt(?:-get)? |pip3? |npm |yarn |git |docker |curl |wget |chmod |cat |ls |local |source |brew |make |cargo |npx )",
        r"\$\(", r"^[ \t]*[A-Za-z_]\w*=[^\s=]*\s*$", r"^[ \t]*(?:function )?[\w-]+\s*\(\)\s*\{", r"\s(?:\|\||&&|\|)\s*\w+", r"\s--?[a-z][\w-]*",
    ),
}  # fmt: skip
MARKS = {name: tuple(re.compile(mark, re.MULTILINE) for mark in marks) for name, marks in _MARKS.items()}


def detect(text: str) -> Language | None:
    r"""The language by rules 2 and 3; None where the text shows no marks of code.

    >>> detect("func half(x int) int {\n\treturn x / 2\n}\n").name
    'go'
    >>> detect("Half of the town was at the market that morning.")
    """
    if found := session(text):
        return BY_NAME[found[0]]
    if script := of_shebang(text):
        return script
    start = text[:LOOKED_AT]
    if start.lstrip().startswith("<?php"):
        return BY_NAME["php"]
    if sum(map(text.count, SYMBOLS)) < MIN_SYMBOLS * len(text):
        return None
    middle = text[len(text) // 2 :][:SAMPLE] if len(text) > 2 * SAMPLE else ""
    sample = f"{text[:SAMPLE]}\n{middle}"
    marks = {language.name: shown(sample, language) for language in LANGUAGES}
    likely = sorted(
        (language for language in LANGUAGES if marks[language.name]), key=lambda one: -marks[one.name]
    )[:CANDIDATES]
    most = max(marks.values())
    judged = [
        (_wrong(start, language), -marks[language.name], place, language)
        for place, language in enumerate(likely)
        if 2 * marks[language.name] >= most
    ]
    if not judged:
        return None
    wrong, negative, _, best = min(judged)
    return best if negative <= -2 or wrong == 0 else None


def shown(text: str, language: Language) -> int:
    """How many of the language's marks the text shows."""
    return sum(mark.search(text) is not None for mark in MARKS[language.name])


def _wrong(text: str, language: Language) -> int:
    """Bytes in error, as a whole number of hundredths of the text, so that a byte more or less decides nothing."""
    code = text.encode()
    try:
        wrong = wrong_bytes(parse(code, language)[0].root_node)
    except Unparsed:
        return 100
    return -(-100 * wrong // max(len(code), 1))
