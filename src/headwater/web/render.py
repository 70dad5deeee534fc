"""Templates to HTML. Everything a page shows is text unless a template of ours says otherwise."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar import MediaType, Response
from litestar.status_codes import HTTP_200_OK

from headwater.model.node import short_name
from headwater.observatory.sentences import say_span
from headwater.web import words
from headwater.web.charts import draw_spark, draw_strip, say_bucket
from headwater.web.filters import WINDOWS, job_link, runs_link
from headwater.web.lineage_drawing import STEP_WORDS
from headwater.web.lineage_filters import COLOURS, DEPTHS, lineage_link
from headwater.web.node_filters import catalog_link, node_link

if TYPE_CHECKING:
    from litestar.connection import Request


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("headwater.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "look": words.look_of,
        "state_look": words.look_of_state,
        "incident_look": words.look_of_incident,
        "span": say_span,
        "number": words.say_number,
        "bytes": words.say_bytes,
        "share": words.say_share,
        "time": words.time_tag,
        "said_time": words.say_time,
        "moment": words.moment_of,
        "nodes": words.say_nodes,
        "emphasise": words.emphasise,
        "web_address": words.web_address,
        "short_name": short_name,
    }
    environment.globals |= {
        "count": words.say_count,
        "seconds_of": partial(timedelta, 0),
        "say_bucket": say_bucket,
        "strip_of": draw_strip,
        "spark_of": draw_spark,
        "job_link": job_link,
        "runs_link": runs_link,
        "node_link": node_link,
        "catalog_link": catalog_link,
        "lineage_link": lineage_link,
        "LINEAGE_COLOURS": COLOURS,
        "LINEAGE_DEPTHS": DEPTHS,
        "STEP_WORDS": STEP_WORDS,
        "RUN_STATUSES": words.RUN_STATUSES,
        "WINDOWS": WINDOWS,
    }
    return environment


_ENVIRONMENT = _environment()


def load_templates(*templates: str) -> None:
    """Compile templates before they are asked for."""
    for template in templates:
        _ENVIRONMENT.get_template(template)


def render(template: str, **context: Any) -> str:
    """Render a template of the package."""
    return _ENVIRONMENT.get_template(template).render(**context)


def page(request: Request[Any, Any, Any], template: str, *, status_code: int = 200, **context: Any) -> Response[str]:
    """Answer with a page, in the frame that everybody who is logged in sees."""
    if status_code != HTTP_200_OK:  # such a page answers a form, and is not to be had again
        context.pop("revision", None)
    content = render(template, path=request.url.path, caller=request.scope.get("user"), **context)
    return Response(content, media_type=MediaType.HTML, status_code=status_code)
