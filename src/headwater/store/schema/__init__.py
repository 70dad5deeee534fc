"""The tables, one schema for both databases. Every key begins with the account; times are microseconds in UTC."""

from __future__ import annotations

from headwater.store.schema.access import (
    api_tokens,
    audit_events,
    audit_heads,
    login_links,
    login_tries,
    sessions,
    users,
)
from headwater.store.schema.accounts import account_filters, accounts, environments, jobs, projects
from headwater.store.schema.columns import metadata
from headwater.store.schema.inbox import inbox
from headwater.store.schema.incidents import incident_marks, incident_transitions, incidents
from headwater.store.schema.invocations import compiled_codes, executions, freshness_results, invocations
from headwater.store.schema.matching import account_aliases, match_overrides, warehouse_tables, warehouses
from headwater.store.schema.nodes import (
    catalog_tables,
    manifest_fingerprints,
    manifest_nodes,
    manifests,
    node_versions,
    nodes,
)
from headwater.store.schema.runs import observations, run_amendments, run_artifacts, run_hours, run_steps, runs
from headwater.store.schema.webhooks import webhook_events, webhooks
from headwater.store.schema.work import leases, request_budgets, sync_passes, sync_progress, sync_states

__all__ = [
    "account_aliases",
    "account_filters",
    "accounts",
    "api_tokens",
    "audit_events",
    "audit_heads",
    "catalog_tables",
    "compiled_codes",
    "environments",
    "executions",
    "freshness_results",
    "inbox",
    "incident_marks",
    "incident_transitions",
    "incidents",
    "invocations",
    "jobs",
    "leases",
    "login_links",
    "login_tries",
    "manifest_fingerprints",
    "manifest_nodes",
    "manifests",
    "match_overrides",
    "metadata",
    "node_versions",
    "nodes",
    "observations",
    "projects",
    "request_budgets",
    "run_amendments",
    "run_artifacts",
    "run_hours",
    "run_steps",
    "runs",
    "sessions",
    "sync_passes",
    "sync_progress",
    "sync_states",
    "users",
    "warehouse_tables",
    "warehouses",
    "webhook_events",
    "webhooks",
]
