"""Write the reference pages from the code: `uv run python docs/generate.py`, or with `--check` only compare.

Commands come from the typer app, settings from `list_settings`, metrics from the monitor's registry, routes from the
web application, documents from the report dataclasses. What a field means is in `docs/meanings.toml`.
"""

from __future__ import annotations

import inspect
import sys
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any

import typer.main
from document_fields import StalePage, link_to, list_reachable, read_meanings, say_type
from documents import DOCUMENTS
from litestar import Response
from litestar.routes import HTTPRoute

from headwater.cli.app import app
from headwater.config import ENV_PREFIX, list_settings
from headwater.monitor import MonitorMetrics
from headwater.observatory.metrics import MetricsReport
from headwater.web.app import build_app
from headwater.web.door import Door

DOCS = Path(__file__).parent
BEGIN, END = "<!-- generated: docs/generate.py -->", "<!-- /generated -->"
HEAD = "<!-- Written by docs/generate.py; edit the code, not this page. -->\n"

SDK_VARIABLES = (
    ("HEADWATER_URL", "http://127.0.0.1:8787", "The server that runs are sent to; set, Airflow's plugin is at work."),
    ("HEADWATER_TOKEN", "", "The token to send with, of the role ingest; set, Airflow's plugin is at work."),
    (
        "HEADWATER_SPOOL",
        "$XDG_STATE_HOME/headwater/spool, else ~/.local/state/headwater/spool",
        "Folder that keeps runs while the server is away.",
    ),
    (
        "DBT_CLOUD_API_TOKEN",
        "",
        "dbt Cloud's token for `python -m headwater.sdk collect`; without it the token is read from standard input.",
    ),
)

_COMMANDS_HEAD = """\
# Commands

`headwater COMMAND --help` prints the same. With `--json` a command prints one [document](documents.md) on standard
output; logs and faults go to standard error.

| exit status | means |
|---|---|
| 0 | done |
| 1 | the answer is bad news: a check found something missing |
| 2 | wrong use: an option, a setting, a name that is not known |
| 3 | dbt Cloud, a file or the database could not be reached or read |
| 130 | stopped at a question |"""

_SETTINGS_HEAD = """\
# Settings

Options of a command come first, then environment variables, then `headwater.toml`: the one in the working directory,
else the one in the user's configuration folder (on Linux `~/.config/headwater/headwater.toml`). The two are not mixed.
A name that is not a setting is a fault, in the file and in the environment, and every fault is told at once.

In the file, what stands before the dot is a section:

```toml
[dbt_monitor]
interval = 30

[retention]
runs_days = 90
```
"""

_SETTINGS_TAIL = """
`data_folder` is by default the user's data folder, on Linux `~/.local/share/headwater`. `headwater check` says which
file was read, and where database and key are.

## The SDK

Inside an Airflow task there is no `headwater.toml`. The SDK reads only these:
"""

_METRICS_HEAD = """\
# Metrics

`headwater monitor` and `headwater up` serve them at `/metrics` on `127.0.0.1`, port `dbt_monitor.prometheus_port`.
Gauges are read from the store at each scrape; counters and histograms begin with the process, but
`headwater_dbt_rate_limited_total`, which is stored. A histogram has `_bucket`, `_sum` and `_count`.
"""

_METRICS_TAIL = """
`outcome` of a pass is `success` or `failure`; of a request it is the HTTP status, or the kind of failure."""

_DOCUMENTS_HEAD = """\
# Documents

What commands print with `--json` and the [web application](http.md) serves, from the same dataclasses. More fields may
be added; none is renamed or taken away. Times are ISO-8601 in UTC. A field that ends in `_seconds` is a number.
"""


def main(arguments: Sequence[str]) -> int:
    """Write the pages, or with --check tell the first page that is stale."""
    try:
        pages = build_pages()
    except StalePage as stale:
        sys.stderr.write(f"{stale}\n")
        return 1
    if "--check" in arguments:
        return _check(pages)
    for path, text in pages.items():
        path.write_text(text, encoding="utf-8")
    return 0


def _check(pages: Mapping[Path, str]) -> int:
    for path, text in pages.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            sys.stderr.write(f"docs/{path.relative_to(DOCS)} is stale. Run: uv run python docs/generate.py\n")
            return 1
    return 0


def build_pages() -> dict[Path, str]:
    """Build every page from the code, by its path.

    Raises:
        StalePage: a field has no meaning, a meaning no field, or a page no marked section.
    """
    reference = DOCS / "reference"
    return {
        reference / "commands.md": HEAD + "\n".join(_commands()) + "\n",
        reference / "settings.md": HEAD + "\n".join(_settings()) + "\n",
        reference / "metrics.md": HEAD + "\n".join(_metrics()) + "\n",
        reference / "documents.md": HEAD + "\n".join(_documents()) + "\n",
        reference / "http.md": _between(reference / "http.md", "\n".join(_routes())),
    }


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Give the lines of a Markdown table."""
    yield f"| {' | '.join(columns)} |"
    yield "|" + "---|" * len(columns)
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


def each_command(command: Any = None, words: tuple[str, ...] = ("headwater",)) -> Iterator[tuple[str, Any]]:
    """Give every command with its words, in the order of the program's help."""
    command = command or typer.main.get_command(app)
    for name, inner in command.commands.items():
        if hasattr(inner, "commands"):
            yield from each_command(inner, (*words, name))
        else:
            yield " ".join((*words, name)), inner


def _commands() -> Iterator[str]:
    yield _COMMANDS_HEAD
    for words, command in each_command():
        yield from ("", f"## {words}", "", command.help.strip(), "")
        arguments = [p for p in command.params if p.param_type_name == "argument"]
        options = [p for p in command.params if p.param_type_name == "option" and p.name != "help"]
        usage = [words, *(p.name.upper() for p in arguments), *(_flag(p) for p in options if p.required)]
        optional = [p for p in options if not p.required]
        yield from ("```console", f"$ {' '.join(usage)}{' [OPTIONS]' if optional else ''}", "```")
        if arguments or options:
            yield ""
            named = [(f"`{p.name.upper()}`", "required", p.help or "") for p in arguments]
            named += [(f"`{_flag(p)}`", _preset(p), _said(p)) for p in options]
            yield from table(("argument or option", "default", "what it does"), named)


def _flag(option: Any) -> str:
    kind = option.type_descriptor.annotation
    if option.is_flag:
        return "/".join((*option.opts, *option.secondary_opts))
    choices = "|".join(kind) if isinstance(kind, type) and issubclass(kind, Enum) else option.name.upper()
    return f"{option.opts[0]} {choices}"


def _preset(option: Any) -> str:
    if option.required:
        return "required"
    return (
        "off"
        if option.is_flag and not option.secondary_opts
        else ""
        if option.default is None
        else f"`{option.default}`"
    )


def _said(option: Any) -> str:
    low, high = option.min, option.max
    if low is not None and high is not None:
        bounds = f" From {low} to {high}."
    else:
        bounds = f" At least {low}." if low is not None else ""
    repeated = " May be given several times." if option.multiple else ""
    return f"{option.help or ''}{bounds}{repeated}"


def variable_of(name: str) -> str:
    """Name the environment variable of a setting."""
    return f"{ENV_PREFIX}{name.upper().replace('.', '__')}"


def _settings() -> Iterator[str]:
    yield _SETTINGS_HEAD
    rows = ((f"`{name}`", f"`{variable_of(name)}`", f"`{preset}`" if preset else "", said)
            for name, preset, said in list_settings())  # fmt: skip
    yield from table(("setting", "environment variable", "default", "what it does"), rows)
    yield _SETTINGS_TAIL
    yield from table(
        ("environment variable", "default", "what it does"),
        ((f"`{name}`", f"`{preset}`" if preset else "", said) for name, preset, said in SDK_VARIABLES),
    )


def list_metrics() -> list[tuple[str, str, tuple[str, ...], str]]:
    """List the metric families as (name as it is scraped, type, labels, help)."""
    metrics = MonitorMetrics(datetime(2026, 1, 1, tzinfo=UTC))
    labels = {own.describe()[0].name: own._labelnames for own in vars(metrics).values() if hasattr(own, "labels")}  # noqa: SLF001 - no public name
    metrics.add_reader(lambda: MetricsReport(accounts=(), runs={}, artifacts={}, requests={}, incidents={}))
    return [
        (
            f"{family.name}_total" if family.type == "counter" else family.name,
            family.type,
            tuple(labels.get(family.name) or family._labelnames),  # type: ignore[attr-defined]  # noqa: SLF001
            family.documentation,
        )
        for family in metrics.registry.collect()
    ]


def _metrics() -> Iterator[str]:
    yield _METRICS_HEAD
    rows = ((f"`{name}`", kind, ", ".join(f"`{label}`" for label in labels), said)
            for name, kind, labels, said in list_metrics())  # fmt: skip
    yield from table(("metric", "type", "labels", "what it says"), rows)
    yield _METRICS_TAIL


def each_handler() -> Iterator[tuple[tuple[str, ...], str, Any]]:
    """Give what the web application serves: (addresses, method, handler), several addresses of one handler as one."""
    web = build_app(Door(**dict.fromkeys((field.name for field in fields(Door)), _not_asked)))
    found: dict[str, tuple[set[str], str, Any]] = {}
    for route in web.routes:
        for handler in route.route_handlers if isinstance(route, HTTPRoute) else ():
            for method in handler.http_methods - {"OPTIONS", "HEAD"}:
                if "/openapi/" not in route.path:
                    key = f"{_function(handler).__qualname__} {method} {_FOREIGN.get(_address(route.path), '')}"
                    found.setdefault(key, (set(), str(method), handler))[0].add(route.path)
    for paths, method, handler in found.values():
        addresses = sorted((_address(path) for path in paths), key=lambda path: ("/api/" not in path, path))
        yield tuple(addresses), method, handler


def _not_asked(*_: object) -> Any:
    raise AssertionError


def _address(path: str) -> str:
    return "".join(part.partition(":")[0] + "}" if "{" in part else part for part in _split(path))


def _split(path: str) -> Iterator[str]:
    for index, part in enumerate(path.split("{")):
        yield from ((f"{{{part.partition('}')[0]}", part.partition("}")[2]) if index else (part,))


def _function(handler: Any) -> Any:
    """Give the function of a handler, which Litestar wraps where it is synchronous."""
    function = handler.fn
    while True:
        if isinstance(function, partial):
            function = function.args[0] if function.args else function.func
        elif hasattr(function, "func"):
            function = function.func
        else:
            return function


def _kind(handler: Any) -> Any:
    """Give the document that a handler answers with, also where it stands in a response of its own making."""
    kind = handler.parsed_fn_signature.return_type.annotation
    inside = typing.get_args(kind)
    return inside[0] if inside and typing.get_origin(kind) is Response else kind


_FOREIGN = {"/static/{file_path}": "Style sheet and scripts.", "/api/v1/openapi": "The OpenAPI document."}


def _routes() -> Iterator[str]:
    rows = []
    for paths, method, handler in each_handler():
        what = _FOREIGN.get(paths[0]) or (inspect.getdoc(_function(handler)) or "").partition("\n")[0]
        kind = _kind(handler)
        known = {document for document, _ in DOCUMENTS}
        gives = f" [{kind.__name__}](documents.md#{kind.__name__.lower()})" if kind in known else ""
        addresses = ", ".join(f"`{path}`" for path in paths)
        rows.append((method, addresses, str(handler.opt["role"]), f"{what}{gives}"))
    yield from table(
        ("method", "address", "least role", "what"),
        sorted(rows, key=lambda row: ("/api/" not in row[1], row[1], row[0])),
    )


def _documents() -> Iterator[str]:
    yield _DOCUMENTS_HEAD
    served: dict[type, str] = {}
    for paths, method, handler in each_handler():
        kind = _kind(handler)
        served[kind] = f"`{method} {paths[0]}`"
    rows = ((link_to(kind), printed, served.get(kind, "")) for kind, printed in DOCUMENTS)
    yield from table(("document", "printed by", "served at"), rows)
    meanings = read_meanings(DOCS / "meanings.toml")
    for kind in list_reachable([kind for kind, _ in DOCUMENTS]):
        yield from ("", f"## {kind.__name__}", "", (inspect.getdoc(kind) or "").replace("\n", " "), "")
        own = typing.get_type_hints(kind)
        yield from table(
            ("field", "type", "meaning"),
            ((f"`{field.name}`", say_type(own[field.name]), meanings.take(kind, field.name)) for field in fields(kind)),
        )
    meanings.check_all_taken()


def _between(path: Path, text: str) -> str:
    """Put a text between the marks of a page that somebody else writes."""
    page = path.read_text(encoding="utf-8") if path.exists() else ""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise StalePage(f"docs/{path.relative_to(DOCS)} has no section between {BEGIN} and {END}. Put the marks back.")
    return f"{before}{BEGIN}\n{text}\n{END}{after}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
