"""The JSON documents that others rely on, each with the commands that print it."""

from __future__ import annotations

from headwater.observatory import node_reports, reports, verdicts
from headwater.observatory.about import AboutReport
from headwater.observatory.aliases import AliasReport
from headwater.observatory.audit import AuditReport
from headwater.observatory.comparisons import ComparisonReport
from headwater.observatory.following import AccountReport
from headwater.observatory.inbox_reports import AcceptReport
from headwater.observatory.incident_reports import IncidentReport, IncidentsReport
from headwater.observatory.job_reports import JobReport
from headwater.observatory.jobs import JobsReport
from headwater.observatory.lineage_reports import LineageReport, LineageStates
from headwater.observatory.matching import MatchReport
from headwater.observatory.rerunning import StartedRun
from headwater.observatory.users import UsersReport
from headwater.observatory.warehouses import WarehousesReport, WarehouseSummary
from headwater.observatory.webhooks import WebhookReport
from headwater.sdk import CollectResult, CoreResult
from headwater.web.api import Revision
from headwater.web.search import SearchDocument
from headwater.web.settings_api import OneselfReport, TokensReport, WebhooksReport

DOCUMENTS: tuple[tuple[type, str], ...] = (
    (reports.RunsReport, "`headwater runs --json`"),
    (reports.RunReport, "`headwater run ID --json`"),
    (JobsReport, "`headwater jobs --json`"),
    (node_reports.NodeReport, "`headwater node REF --json`"),
    (node_reports.ImpactReport, "`headwater impact REF --json`"),
    (verdicts.VerdictReport, "`headwater why REF --json`"),
    (LineageReport, ""),
    (LineageStates, ""),
    (IncidentsReport, "`headwater incidents --json`"),
    (IncidentReport, "`headwater incident show ID --json`, as of `acknowledge`, `unacknowledge`, `note` and `resolve`"),
    (node_reports.CatalogReport, "`headwater catalog --json`"),
    (reports.AccountsReport, "`headwater account list --json`"),
    (reports.AccountSummary, "`headwater account add … --json`"),
    (reports.CheckReport, "`headwater check --json`, `headwater account check NAME --json`"),
    (reports.SyncReport, "`headwater sync --json`"),
    (reports.IngestReport, "`headwater ingest PATH --json`"),
    (CollectResult, "`headwater collect … --json`, `python -m headwater.sdk collect …`"),
    (CoreResult, "`collect_data_from_dbt_core(…)`"),
    (AccountReport, "`headwater account show NAME --json`, as of `filter`, `pause` and `resume`"),
    (WebhookReport, "`headwater account webhook NAME --json`"),
    (AliasReport, "`headwater account alias NAME HOST --json`"),
    (MatchReport, "`headwater match TABLE --json`"),
    (WarehousesReport, "`headwater warehouse list --json`"),
    (WarehouseSummary, "`headwater warehouse add … --json`"),
    (ComparisonReport, "`headwater warehouse read NAME --json`, `… compare NAME --json`, `… catalog --json`"),
    (reports.StoreSummary, "`headwater demo --once --json`"),
    (reports.TokenSummary, '`headwater token list --json`, as `{"tokens": […]}`'),
    (UsersReport, "`headwater user list --json`"),
    (AuditReport, "`headwater audit --json`"),
    (reports.OverviewReport, ""),
    (OneselfReport, ""),
    (TokensReport, ""),
    (WebhooksReport, ""),
    (AboutReport, ""),
    (SearchDocument, ""),
    (JobReport, ""),
    (StartedRun, ""),
    (AcceptReport, ""),
    (Revision, ""),
)
