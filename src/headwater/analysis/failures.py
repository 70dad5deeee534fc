"""What the message of a failed execution or step says, whichever adapter wrote it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum

_READ_CHARACTERS = 8_000
_BREACH_CELLS = 4


class FailureKind(StrEnum):
    """What kind of failure a message tells of."""

    CREDENTIALS = "credentials"
    PERMISSION = "permission"
    QUOTA = "quota"
    TIMEOUT = "timeout"
    LOCK = "lock"
    OUT_OF_MEMORY = "out of memory"
    NETWORK = "network"
    CONTRACT = "contract"
    MISSING_COLUMN = "missing column"
    MISSING_RELATION = "missing relation"
    TYPE = "type"
    DUPLICATE_KEY = "duplicate key"
    SYNTAX = "syntax"
    ENVIRONMENT_VARIABLE = "environment variable"
    VARIABLE = "variable"
    GIT = "git"
    PACKAGES = "packages"
    PARSE = "parse"
    COMPILATION = "compilation"
    UNKNOWN = "unknown"

    @property
    def is_warehouse_trouble(self) -> bool:
        """Whether neither code nor data but the warehouse, or the way to it, is at fault."""
        return self in _TROUBLE


OF_VALUES = frozenset({FailureKind.TYPE, FailureKind.DUPLICATE_KEY})
"""What says that a node's code cannot work with values that it reads."""

_TROUBLE = frozenset({
    FailureKind.CREDENTIALS, FailureKind.PERMISSION, FailureKind.QUOTA, FailureKind.TIMEOUT, FailureKind.LOCK,
    FailureKind.OUT_OF_MEMORY, FailureKind.NETWORK,
})  # fmt: skip

_PHRASES: Mapping[FailureKind, tuple[str, ...]] = {
    FailureKind.CONTRACT: ("enforced contract that failed", "contract breach", "breaking changes to contract"),
    FailureKind.ENVIRONMENT_VARIABLE: (
        "env var required but not provided", "environment variable .{0,80} not (set|provided)",
    ),
    FailureKind.VARIABLE: ("required var .{1,200} not found in config",),
    FailureKind.GIT: (
        r"fatal: .{0,200}(repository|remote|authentication failed for 'http|branch|reference)",
        "git clone", "git fetch failed",
        "could not read from remote repository", "could not read username", "couldn't find remote ref",
        "failed to clone", "remote branch .{1,200} not found", "pathspec .{1,200} did not match",
        "host key verification failed", "error: failed to push some refs", "repository not found",
    ),
    FailureKind.PACKAGES: (
        "not found in the package index", "dependency error", "version error for package", "dbt deps",
        r"external connection exception occurred.{0,80}hub",
        "packages? .{0,120}not installed", "could not find a version", "found \\d+ packages? specified",
        "dbt found \\d+ package\\(s\\) specified", "could not be installed", "could not install",
        "version conflict with", "error checking out spec", "installed package .{0,200}mismatch",
    ),
    FailureKind.CREDENTIALS: (
        "incorrect username or password", "password authentication failed", "invalid (access )?token", "login failed",
        "authentication (token has expired|failed|error)", "jwt token is invalid", "invalid_grant", "reauthentication",
        "could not find profile", "expired (credentials|token)", "token has expired", "user temporarily locked",
        "unable to generate (access|iam) token", "invalid credentials", "status 401", "http 401", "401 unauthorized",
        "login timeout expired.{0,80}login failed", "cannot open server .{1,200} requested by the login",
        "failed to authenticate", "the token .{0,80}has expired", "could not deserialize key",
        "role .{1,200} is not permitted to log in",
        "unauthenticated", "no pg_hba.conf entry", "default credentials were not found", "authentication failed",
    ),
    FailureKind.QUOTA: (
        "quota ?exceeded", "exceeded (your |rate |the )?(limit|quota)", "rate ?limit ?exceeded",
        "too many concurrent", "custom quota", "resource monitor", "cannot be resumed because", "credit quota",
        "billing", "concurrent queries limit", "no space left on device", "disk full", "too many connections",
        "remaining connection slots are reserved", "max_connections", "too many queries", "query queue is full",
        "insufficient (system )?resources?", "cluster is at capacity", "request limit for the database",
        "has reached its (quota|limit)", "query_queue_full", "too many queued queries", "capacity limit",
        "exceeded rate limits", "http 429", "429 too many requests", "could not extend file",
    ),
    FailureKind.OUT_OF_MEMORY: (
        "out of memory", "outofmemory", "memory limit", "could not allocate", "failed to allocate", "java heap space",
        "exceeded memory", "query_exceeded_local_memory", "exceeded_local_memory_limit", "insufficient memory",
        "resources exceeded during query execution", "container killed by yarn", "executorlostfailure",
        "exceeded distributed user memory", "exceeded_memory_limit", "there is insufficient .{0,40}memory",
        "gc overhead limit exceeded", "out_of_memory", "driver .{0,80}(stopped unexpectedly|is out of memory)",
        "cannot allocate memory", "outofmemoryerror", "spilled to disk .{0,80}exceed",
    ),
    FailureKind.LOCK: (
        "could not set lock", "conflicting lock", "deadlock", "lock (wait )?timeout", "could not serialize access",
        "database is locked", "serializable isolation violation", "concurrent (append|update|transaction)",
        "concurrent(append|deleteread|deletedelete|transaction|write|metadata)\\w*exception", "transaction conflict",
        "could not obtain lock", "due to concurrent", "number of waiters for this table exceeds",
        "tuple concurrently (updated|deleted)", "write-write conflict", "conflict on (update|delete|tuple)",
        "delta_concurrent_", "snapshot isolation transaction aborted", "was deadlocked on", "lock request time ?out",
        "has locked table", "statement .{0,200}aborted because the number of waiters", "waiting for lock",
        "another transaction .{0,120}(altered|modified)", "could not commit .{0,80}conflict",
        "relation .{1,200}__dbt_\\w+.{0,8} already exists", "pg_type_typname_nsp_index",
        "metadata has been changed by a concurrent", "aborted by a concurrent", "transaction was aborted due to",
    ),
    FailureKind.TIMEOUT: (
        "timed? ?out", "statement timeout", "canceling statement due to", "deadline exceeded",
        "reached its statement or warehouse timeout", "exceeded the maximum execution time", "query_exceeded_max",
        "exceeded time limit", "operation was cancelled by timeout", "exceeded_time_limit",
        "execution time limit", "query was cancelled .{0,80}(time|limit)", "query exceeded .{0,80}run ?time",
        "cancell?ed on user's request",
    ),
    FailureKind.NETWORK: (
        "connection (refused|reset|aborted|closed|lost|broken|to server .{0,200} failed)", "could not connect",
        "could not translate host name", "server closed the connection", "name or service not known",
        "temporary failure in name resolution", "ssl (syscall )?error", "failed to connect", "network is unreachable",
        "max retries exceeded with url", "remote end closed", "broken pipe", "502 bad gateway", "503 service",
        "service unavailable", "temporarily_unavailable", "eof detected", "unable to connect",
        "communication link failure", "tcp provider", "a network-related or instance-specific error",
        "connection (has been|was|is) (closed|terminated|reset|lost)", "server has gone away",
        "the connection is broken", "504 gateway", "failed to establish a new connection",
        "terminating connection due to", "connection already closed", "readtimeout", "no route to host",
    ),
    FailureKind.PERMISSION: (
        "permission denied", "access denied", "insufficient privileges", "(?<!not exist or )not authorized",
        "does not have permission",
        "insufficient_permissions", "accessdenied", "lacks? (the )?.{0,40}privilege", "must be owner of",
        "user does not have", "permission was denied", "403 forbidden", "insufficient privilege",
        "cannot (select|insert|create|drop) .{0,200}(permission|privilege)", "permission_denied",
        "read-?only (mode|transaction|database|connection)", "(is|opened|attached) (in )?read-?only",
    ),
    FailureKind.MISSING_COLUMN: (
        r"column .{1,200} (does not exist|not found|cannot be resolved)", "invalid identifier", "unrecognized name",
        "does not have a column named", "referenced column", "cannot resolve .{1,200}(column|given input)",
        "unresolved_column", "invalid column name", "name .{1,200} not found inside", "no such column",
        "unknown column",
    ),
    FailureKind.MISSING_RELATION: (
        r"(table|relation|view|schema|object|dataset|database) .{0,300}does not exist", "table or view not found",
        "table_or_view_not_found", "not found: (table|dataset)", "invalid object name", "undefinedtable",
        r"object '.{1,300}' does not exist", "no such table", "unknown table", r"no files found that match the pattern",
        "does not exist or not authorized", "schema_not_found", "table_not_found", "cannot find the object",
        "table .{1,300} not found", "cannot resolve .{0,20}table",
    ),
    FailureKind.DUPLICATE_KEY: (
        "duplicate row detected during dml", "must match at most one source row", "violates unique constraint",
        "duplicate key", "cannot perform merge as multiple source rows", "constraint error: duplicate",
    ),
    FailureKind.TYPE: (
        "conversion (error|failed)", "could not convert", "cannot cast", "bad (int64|double|date|timestamp) value",
        "numeric value .{0,120} is not recognized", "invalid input syntax for", "cast_invalid_input",
        "no function matches", "no matching signature", "type mismatch", "operator does not exist", "out of range",
        "date/time field value", "division by zero", "overflow", "cannot be cast", "failed to cast",
        "datatype mismatch", "cannot (compare|mix) values of type", "explicit (type )?cast",
        "invalid argument types for function", "unexpected parameters .{0,200} for function", "cannot apply operator",
        "operand data type .{0,80} is invalid for", "error converting data type", "conversion failed when converting",
    ),
    FailureKind.PARSE: (
        "parsing error", "yaml", "invalid (models|sources|seeds) config", "not a valid",
        "depends on a (node|source) named",
        "dbt found two ", "could not render", "project .{0,80}not found", "mapping values are not allowed",
    ),
    FailureKind.SYNTAX: (
        "syntax error", "parser error", "sql compilation error", "parse_syntax_error", "unexpected (keyword|end)",
    ),
    FailureKind.COMPILATION: ("compilation error",),
}  # fmt: skip
"""Tried in this order: what is said more exactly goes before what is said of many failures.

The phrases are those of Snowflake, BigQuery, Redshift, PostgreSQL, Databricks, Spark, Trino, SQL Server and DuckDB.
"""

_PATTERNS = {kind: re.compile("|".join(f"(?:{phrase})" for phrase in phrases)) for kind, phrases in _PHRASES.items()}


def classify_failure(message: str | None) -> FailureKind:
    """Tell what kind of failure a message of dbt, git or a warehouse is about."""
    if not message:
        return FailureKind.UNKNOWN
    told = " ".join(message[:_READ_CHARACTERS].lower().split())
    return next((kind for kind, pattern in _PATTERNS.items() if pattern.search(told)), FailureKind.UNKNOWN)


_VARIABLE = re.compile(r"(?:required var|env var required but not provided:)\s*['\"`]?([\w.-]+)", re.IGNORECASE)


def find_variable(message: str | None) -> str | None:
    """Find the variable, dbt's or the environment's, that was required and not given; None where none was."""
    found = _VARIABLE.search((message or "")[:_READ_CHARACTERS])
    return found[1] if found else None


_COLUMN = re.compile(
    r"""(?:column|identifier|name:?|field|resolve)\s+(?:named\s+|name\s+)?"""
    r"""["'`\[]?([\w$]+(?:["'`]?\.["'`]?[\w$]+)*)["'`\]]?""",
    re.IGNORECASE,
)


def find_missing_column(message: str | None) -> str | None:
    """Find the column that a message misses, without its table and in lower case; None where it names none."""
    if classify_failure(message) is not FailureKind.MISSING_COLUMN:
        return None
    found = _COLUMN.search((message or "")[:_READ_CHARACTERS])
    return re.split(r"[.\"'`]+", found[1])[-1].lower() if found else None


def read_contract_breach(message: str | None) -> tuple[str, ...]:
    """Say each column in which a model differs from its contract, from the table that dbt prints of them."""
    return tuple(
        f"{column}: {found or 'no column'}, promised {promised or 'none'}."
        for column, found, promised, _ in _breaches(message)
    )


def read_breach_columns(message: str | None) -> tuple[str, ...]:
    """Give those columns, in lower case."""
    return tuple(row[0].lower() for row in _breaches(message))


def _breaches(message: str | None) -> list[list[str]]:
    rows = [
        [cell.strip() for cell in line.strip().strip("|").split("|")]
        for line in (message or "")[:_READ_CHARACTERS].splitlines()
        if line.strip().startswith("|") and line.count("|") == _BREACH_CELLS + 1
    ]
    return [row for row in rows if row[0] != "column_name" and not set(row[0]) <= {"-", " "}]


def first_line(message: str | None) -> str:
    """Give what a message says in a line: behind dbt's heading, which names the node again."""
    lines = [line.strip() for line in (message or "")[:_READ_CHARACTERS].splitlines() if line.strip()]
    if len(lines) > 1 and re.match(r"(Runtime|Database|Compilation|Dependency|Parsing|Internal) Error", lines[0]):
        return lines[1][:300]
    return lines[0][:300] if lines else ""
