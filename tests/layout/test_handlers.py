"""What looks like a function that Lambda may call."""

from __future__ import annotations

import pytest

from poetry_lambda_plugin.layout.handlers import candidates


POWERTOOLS = "from aws_lambda_powertools.event_handler import APIGatewayRestResolver\n"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        pytest.param("def handler(event, context): ...", ["handler function"], id="function"),
        pytest.param("def create(event, context): ...", ["create function"], id="another-name"),
        pytest.param(
            "def on_order(order_event, _context): ...", ["on_order function"], id="other-parameters"
        ),
        pytest.param("def lambda_handler(x, y): ...", ["lambda_handler function"], id="name-alone"),
        pytest.param("def api_handler(event, _): ...", ["api_handler function"], id="half-of-each"),
        pytest.param("def run(event: SQSEvent, ctx: LambdaContext): ...", ["run function"], id="annotated"),
        pytest.param("@tracer\ndef handler(event, context, db=None): ...", ["handler function"], id="more"),
        pytest.param("try:\n def handler(event, context): ...\nfinally: ...", ["handler function"], id="try"),
        pytest.param("def key_handler(event, canvas=None): ...", [], id="key-presses"),
        pytest.param("async def handler(event, context): ...", [], id="async"),
        pytest.param("def handler(event): ...", [], id="event-alone"),
        pytest.param("def handler(a, b, c): ...", [], id="three"),
        pytest.param("def handler(a, b, *, c): ...", [], id="keyword"),
        pytest.param("def _handler(event, context): ...", [], id="private"),
        pytest.param("def render(template, context): ...", [], id="template"),
        pytest.param("def view(request, context): ...", [], id="view"),
        pytest.param("def error_handler(request, exc): ...", [], id="errors"),
        pytest.param("class A:\n def handler(self, event, context): ...", [], id="method"),
        pytest.param("from mangum import Mangum\nmain = Mangum(app)", ["main adapter"], id="mangum"),
        pytest.param("import mangum as m\nhandler = m.Mangum(app)", ["handler adapter"], id="mangum-module"),
        pytest.param(
            "from mangum import Mangum\nhandler: object = log(Mangum(app))", ["handler adapter"], id="wrapped"
        ),
        pytest.param("from chalice import Chalice\napp = Chalice('x')", ["app adapter"], id="chalice"),
        pytest.param(f"{POWERTOOLS}app = APIGatewayRestResolver()", ["app resolver"], id="powertools"),
        pytest.param(
            f"{POWERTOOLS}app = APIGatewayRestResolver()\ndef f(event, context): ...",
            ["f function"],
            id="both",
        ),
        pytest.param(
            "from aws_lambda_powertools.event_handler import BedrockAgentFunctionResolver as R\napp = R()",
            [],
            id="resolver-that-can't-be-called",
        ),
        pytest.param("handler = make()", ["handler named"], id="named"),
        pytest.param("lambda_handler = lambda event, context: 1", ["lambda_handler named"], id="lambda"),
        pytest.param("import logging\nhandler = logging.StreamHandler()", [], id="logging"),
        pytest.param("handler = SlackRequestHandler(app)", [], id="requests"),
        pytest.param("handler = 'x'", [], id="text"),
        pytest.param("from .api import handler", ["handler imported"], id="imported"),
        pytest.param(
            "def f[T](x): ...\ndef handler(event, context)->: ...", ["handler function"], id="new-syntax"
        ),
        pytest.param("\0", [], id="nonsense"),
    ],
)
def test_candidates(source: str, found: list[str]) -> None:
    """What can be called with an event and a context is one, what only resembles it is none."""
    assert [f"{c.name} {c.kind}" for c in candidates(source.encode())] == found
