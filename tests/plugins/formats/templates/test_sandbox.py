"""Hostile templates are harmless: each is stopped within a second, with an error that says why."""

import time
import tracemalloc

import pytest

from plugins.formats.templates.meter import TemplateFault
from plugins.formats.templates.template import Taken

TURNS = [("user", "Who goes there?"), ("assistant", "A friend.")]
GROW = "{% set ns = namespace(x=START) %}{% for i in range(100) %}{% set ns.x = STEP %}{% endfor %}{{ ns.x }}"


def growing(start: str, step: str) -> str:
    return GROW.replace("START", start).replace("STEP", step)


HOSTILE = {
    "an endless macro": ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "calls itself without end"),
    "an endless recursive loop": ("{% for m in messages recursive %}{{ loop(messages) }}{% endfor %}", "calls itself without end"),
    "nested ranges": ("{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}", "steps"),
    "exponential recursion": ("{% macro m(n) %}{{ m(n-1) ~ m(n-1) if n else '' }}{% endmacro %}{{ m(60) }}", "steps"),
    "a long text by multiplication": ("{{ 'a' * 10**9 }}", r"\* would make 1,000,000,000 characters"),
    "a long list by multiplication": ("{{ ([1] * 10**9)|length }}", r"\* would make"),
    "a giant number": ("{{ 10 ** 10 ** 10 }}", "numbers this large"),
    "a number squared over and over": (growing("9", "ns.x * ns.x"), "numbers this large"),
    "the way to all classes": ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "unsafe"),
    "the way to all classes by a filter": ("{{ ''|attr('__class__') }}", 'filter "attr"'),
    "os through a global": ("{{ cycler.__init__.__globals__.os.system('id') }}", "unsafe"),
    "os by an import": ("{% import 'os' as os %}", "import"),
    "a file": ("{% include '/etc/passwd' %}", "include"),
    "a format bomb": ("{{ '%1000000000s'|format('a') }}", 'filter "format"'),
    "a format bomb by an operator": ("{{ '%1000000000s' % 'a' }}", "formats text"),
    "a format bomb by a method": ("{{ '{:1000000000}'.format('a') }}", "unsafe"),
    "a wide centre": ("{{ 'a'|center(10**9) }}", 'filter "center"'),
    "a wide centre by name": ("{{ ['a']|map('center', 10**9)|list }}", "center"),
    "a wide margin": ("{{ 'a'.ljust(10**9) }}", "unsafe"),
    "a wide indent": ("{{ 'a'|indent(10**9, true) }}", "indent would make"),
    "a wide indent in JSON": ("{{ [1]|tojson(indent=10**9) }}", "at most 16"),
    "a wide indent behind another name": ("{{ 'a'|indent(first=true, width=10**9) }}", "indent would make"),
    "a replacement by names in another order": ("{{ ('a' * 90000)|replace(new='b' * 90000, old='a') }}", "replace would make"),
    "a number rounded without end": ("{{ 1|round(10**9, 'floor') }}", "at most 16"),
    "loops that let nothing in": ("{% for i in range(9999) %}{% for j in range(9999) if false %}{% endfor %}{% endfor %}", "steps"),
    "a generator run dry": ("{{ range(10**9)|list|length }}", "range of 1,000,000,000"),
    "generators by the thousand": ("{% for i in range(9999) %}{{ range(9999)|map('string')|list|length }}{% endfor %}", "steps"),
    "lorem ipsum": ("{{ lipsum(n=10**9) }}", "undefined"),
    "output doubled": (growing("'aaaa'", "ns.x ~ ns.x"), "~ would make"),
    "output doubled by +": (growing("'aaaa'", "ns.x + ns.x"), r"\+ would make"),
    "output replaced into itself": (growing("'aa'", "ns.x|replace('a', ns.x)"), "replace would make"),
    "output joined into itself": (growing("'aa'", "ns.x.join([ns.x, ns.x, ns.x])"), "join would make|would hold more"),
    "a billion laughs": (growing("['lol']", "[ns.x, ns.x]"), "would hold more"),
    "a billion laughs in a dict": (growing("'lol'", "dict(a=ns.x, b=ns.x)"), "would hold more"),
    "a long text shown for ever": ("{% for i in range(9999) %}{% for j in range(99) %}" + "x" * 100_000 + "{% endfor %}{% endfor %}", "steps"),
    "long texts compared for ever": (
        "{% set x = 'a' * 90000 %}{% set y = 'a' * 90000 %}{% for i in range(9999) %}{% for j in range(999) %}{{ x == y }}{% endfor %}{% endfor %}",
        "steps",
    ),
    "brackets within brackets": ("{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}", "nested too deeply"),
    "loops within loops": ("{% for a in [1] %}" * 30 + "{% endfor %}" * 30, "cannot be read"),
    "too long": ("x" * 200_001, "at most 200,000"),
    "no template": ("{% for %}", "not Jinja"),
    "an insides of the environment": ("{{ range.__self__.filters }}{{ messages.append(1) }}", "unsafe|undefined|not"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_template_is_stopped_with_its_reason(name):
    text, reason = HOSTILE[name]
    start = time.process_time()
    with pytest.raises(TemplateFault, match=reason):
        Taken(source="hostile", text=text).render(TURNS)
    assert time.process_time() - start < 1


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_template_takes_little_memory(name):
    tracemalloc.start()
    try:
        with pytest.raises(TemplateFault):
            Taken(source="hostile", text=HOSTILE[name][0]).render(TURNS)
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("insides", ["''['__class__']", "raise_exception.__globals__", "self.__init__", "messages|map(attribute='__class__')|first"])  # fmt: skip
def test_what_is_hidden_is_as_if_it_were_not_there(insides):
    assert Taken(source="hostile", text=f"{{{{ {insides} }}}}").render(TURNS) == ""


def test_a_template_changes_nothing_it_is_given():
    with pytest.raises(TemplateFault, match="unsafe"):
        Taken(source="hostile", text="{{ messages.append(1) }}").render(TURNS)


def test_a_long_conversation_of_long_posts_is_within_the_limits():
    turns = [("user", "a" * 4000), ("assistant", "b" * 4000)] * 1000
    text = "{% for m in messages %}{{ '<' + m['role'] + '>' ~ m.content|trim + '\n' }}{% if messages[1:]|length > loop.index and m.content == 'x' %}{% endif %}{% endfor %}"
    assert len(Taken(source="honest", text=text).render(turns)) > 8_000_000


def test_the_day_is_always_the_same():
    assert (
        Taken(source="honest", text="{{ strftime_now('%d %b %Y') }}").render(TURNS).startswith("26 Jul 2024")
    )
