"""A parsed template, checked against what chat templates use and rewritten so that it is metered wherever it can spend or grow."""

# ruff: noqa: N802  jinja2 finds its visitors by the names of nodes

from __future__ import annotations

from typing import Any, cast

from jinja2 import nodes
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.visitor import NodeTransformer

from plugins.formats.templates.meter import TemplateFault

FILTERS = frozenset([
    "abs",
    "capitalize",
    "count",
    "d",
    "default",
    "dictsort",
    "escape",
    "e",
    "first",
    "indent",
    "int",
    "items",
    "join",
    "last",
    "length",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "safe",
    "select",
    "selectattr",
    "sort",
    "string",
    "title",
    "tojson",
    "trim",
    "unique",
    "upper",
])
"""Filters of published chat templates. Not among them: format, center, wordwrap, batch, sum, attr, random."""
TESTS = frozenset([
    "boolean",
    "callable",
    "defined",
    "divisibleby",
    "eq",
    "equalto",
    "even",
    "false",
    "float",
    "ge",
    "gt",
    "greaterthan",
    "in",
    "integer",
    "iterable",
    "le",
    "lessthan",
    "lower",
    "lt",
    "mapping",
    "ne",
    "none",
    "number",
    "odd",
    "sameas",
    "sequence",
    "string",
    "true",
    "undefined",
    "upper",
    "==",
    "!=",
    ">",
    ">=",
    "<",
    "<=",
])
BANNED = (
    nodes.Include,
    nodes.Import,
    nodes.FromImport,
    nodes.Extends,
    nodes.Block,
    nodes.EvalContextModifier,
)


class Generation(Extension):
    """`{% generation %}`, with which some templates mark what the model says; its body is rendered as it stands."""

    tags = {"generation"}  # noqa: RUF012  jinja2's own attribute

    def parse(self, parser: Parser) -> list[nodes.Node]:
        """The nodes of the body."""
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def rewritten(tree: nodes.Template) -> nodes.Template:
    """The template, metered. Raises TemplateFault for what is not allowed, with the line it stands on."""
    for node in tree.find_all(nodes.Node):
        if isinstance(node, BANNED):
            raise TemplateFault(
                f"line {node.lineno} has {{% {type(node).__name__.lower()} %}}, which a chat template must do without"
            )
        for kind, allowed in ((nodes.Filter, FILTERS), (nodes.Test, TESTS)):
            if isinstance(node, kind) and node.name not in allowed:
                what = kind.__name__.lower()
                raise TemplateFault(
                    f'line {node.lineno} uses the {what} "{node.name}"; allowed are {", ".join(sorted(allowed))}'
                )
    return cast(nodes.Template, _Meters().visit(tree))


class _Meters(NodeTransformer):
    """Puts calls of `Sandbox` into a template."""

    def visit_For(self, node: nodes.For) -> nodes.Node:
        made = cast(nodes.For, self._ticking(node))
        if made.test is not None:  # what the test leaves out never comes to the tick in the body
            made.iter = _call("walk", made, cast(nodes.Expr, made.iter))
        return made

    def visit_Macro(self, node: nodes.Macro) -> nodes.Node:
        return self._ticking(node)

    def visit_CallBlock(self, node: nodes.CallBlock) -> nodes.Node:
        return self._ticking(node)

    def visit_Output(self, node: nodes.Output) -> Any:
        literal = sum(len(child.data) for child in node.nodes if isinstance(child, nodes.TemplateData))
        node = cast(nodes.Output, self.generic_visit(node))
        steps = nodes.Const(literal // 64, lineno=node.lineno)
        return (
            [nodes.ExprStmt(_call("tick", node, steps), lineno=node.lineno), node] if literal > 64 else node
        )

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        node = cast(nodes.Concat, self.generic_visit(node))
        return _call("joined", node, *node.nodes)

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:
        node = cast(nodes.Getitem, self.generic_visit(node))
        if not isinstance(node.arg, nodes.Slice):
            return node
        none = nodes.Const(None, lineno=node.lineno)
        bounds = [bound or none for bound in (node.arg.start, node.arg.stop, node.arg.step)]
        return _call("slice", node, node.node, *bounds)

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:
        node = cast(nodes.Compare, self.generic_visit(node))
        node.expr = _read(node.expr)
        for operand in node.ops:
            operand.expr = _read(operand.expr)
        return node

    def visit_List(self, node: nodes.List) -> nodes.Node:
        return self._weighed(node)

    def visit_Dict(self, node: nodes.Dict) -> nodes.Node:
        return self._weighed(node)

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:
        # `for a, b in …` and `set a, b = …` assign to a tuple; that is no value.
        return self._weighed(node) if node.ctx == "load" else node

    def _ticking(self, node: Any) -> nodes.Node:
        node = self.generic_visit(node)
        node.body.insert(0, nodes.ExprStmt(_call("tick", node), lineno=node.lineno))
        return cast(nodes.Node, node)

    def _weighed(self, node: Any) -> nodes.Node:
        node = self.generic_visit(node)
        return _call("weigh", node, node) if any(node.iter_child_nodes()) else node


def _read(node: nodes.Expr) -> nodes.Expr:
    return node if isinstance(node, nodes.Const | nodes.Call) else _call("read", node, node)


def _call(method: str, at: nodes.Node, *args: nodes.Expr) -> nodes.Call:
    function = nodes.EnvironmentAttribute(method, lineno=at.lineno)
    return nodes.Call(function, list(args), [], None, None, lineno=at.lineno)
