"""Accounts, projects, environments, connections, jobs and users as JSON objects."""

from typing import TYPE_CHECKING, Any

from headwater.simulator.times import iso, spaced
from headwater.simulator.world import Account, Environment, Job, Project, User

if TYPE_CHECKING:
    from headwater.simulator.cloud import Cloud


def account_object(account: Account) -> dict[str, Any]:
    """An account (dbt Cloud API: AccountResponse)."""
    return {
        "id": account.id,
        "name": account.name,
        "state": 1,
        "plan": "enterprise",
        "identifier": account.identifier,
        "locked": False,
        "lock_reason": None,
        "lock_cause": None,
        "unlocked_at": None,
        "unlock_if_subscription_renewed": False,
        "pending_cancel": False,
        "run_slots": 5,
        "developer_seats": 8,
        "it_seats": 1,
        "explorer_seats": 0,
        "analyst_seats": 0,
        "read_only_seats": 20,
        "queue_limit": 50,
        "pod_memory_request_mebibytes": 600,
        "develop_pod_memory_request_mebibytes": 0,
        "run_duration_limit_seconds": 86_400,
        "billing_email_address": None,
        "enterprise_authentication_method": None,
        "enterprise_login_slug": None,
        "enterprise_unique_identifier": None,
        "business_critical": False,
        "starter_repo_url": None,
        "git_auth_level": "personal",
        "trial_end_date": None,
        "static_subdomain": None,
        "vanity_subdomain": None,
        "run_locked_until": None,
        "docs_job_id": None,
        "freshness_job_id": None,
        "docs_job": None,
        "freshness_job": None,
        "copilot_locked_until": None,
        "agent_credit_locked": False,
        "account_migration_events": [],
        "groups": [],
        "created_at": iso(account.created_at),
        "updated_at": iso(account.created_at),
    }


def project_object(project: Project, account: Account, version: int, related: frozenset[str]) -> dict[str, Any]:
    """A project (dbt Cloud API: ProjectResponse); both versions write it alike."""
    return {
        "id": project.id,
        "account_id": account.id,
        "name": project.name,
        "description": None,
        "connection_id": project.connection_id,
        "repository_id": project.repository_id,
        "semantic_layer_config_id": None,
        "skipped_setup": False,
        "state": 1,
        "dbt_project_subdirectory": None,
        "type": 0,
        "created_at": spaced(project.created_at),
        "updated_at": spaced(project.created_at),
        "connection": project_connection(account, project) if version == 3 or "connection" in related else None,
        "environments": [environment_v3(e, project) for e in project.environments] if "environments" in related else [],
        "repository": repository(project),
        "group_permissions": [],
        "docs_job_id": None,
        "freshness_job_id": None,
        "docs_job": None,
        "freshness_job": None,
        "fusion_readiness": None,
        "default_version": None,
    }


def repository(project: Project) -> dict[str, Any]:
    """Where a project's code is kept."""
    name = f"example/{project.recorded.name}"
    return {
        "id": project.repository_id,
        "account_id": project.account_id,
        "project_id": project.id,
        "full_name": name,
        "remote_url": f"git://github.com/{name}.git",
        "remote_backend": "github",
        "git_clone_strategy": "github_app",
        "deploy_key_id": None,
        "repository_credentials_id": None,
        "github_installation_id": 19_320_059,
        "github_webhook_id": None,
        "private_link_endpoint_id": None,
        "pull_request_url_template": f"https://github.com/{name}/compare/{{{{destination}}}}...{{{{source}}}}",
        "state": 1,
        "created_at": spaced(project.created_at),
        "updated_at": spaced(project.created_at),
        "github_repo": name,
        "name": project.recorded.name,
        "git_provider_id": None,
        "gitlab": None,
        "git_provider": None,
    }


def project_connection(account: Account, project: Project) -> dict[str, Any]:
    """A project's connection to its warehouse, in the deprecated form."""
    return {
        "id": account.connection_id,
        "account_id": account.id,
        "project_id": project.id,
        "name": account.connection_name,
        "type": "postgres",
        "adapter_version": "postgres_v0",
        "created_by_id": None,
        "created_by_service_token_id": None,
        "private_link_endpoint_id": None,
        "oauth_configuration_id": None,
        "details": {"hostname": "warehouse.example", "dbname": "analytics", "port": 5432, "tunnel_enabled": False},
        "state": 1,
        "created_at": spaced(account.created_at),
        "updated_at": spaced(account.created_at),
    }  # fmt: skip


def account_connection(account: Account, *, with_config: bool) -> dict[str, Any]:
    """A connection of an account (dbt Cloud API v3); a list never tells its config."""
    config = {"hostname": "warehouse.example", "port": 5432, "dbname": "analytics"}
    own = {"oauth_redirect_uri": None, "is_configured_for_native_oauth": False, "config": config}
    listed = {"environment__count": sum(len(p.environments) for p in account.projects), "config": None}
    return {
        "id": account.connection_id,
        "account_id": account.id,
        "name": account.connection_name,
        "adapter_version": "postgres_v0",
        "private_link_endpoint_id": None,
        "is_ssh_tunnel_enabled": False,
        "oauth_configuration_id": None,
        "platform_metadata_credentials_id": None,
        "analytics_credentials_id": None,
        **(own if with_config else listed),
        "created_at": spaced(account.created_at),
        "updated_at": spaced(account.created_at),
    }


def environment_v2(
    environment: Environment, project: Project, related: frozenset[str], cloud: "Cloud"
) -> dict[str, Any]:
    """An environment of the account-wide list (dbt Cloud API: EnvironmentV2Response)."""
    account = cloud.accounts[project.account_id]
    connection = {
        "id": project.connection_id,
        "account_id": project.account_id,
        "dbt_project_id": project.id,
        "name": account.connection_name,
        "type": "postgres",
        "state": 1,
        "hostname": "warehouse.example",
        "dbname": project.recorded.name,
        "port": 5432,
        "tunnel_enabled": False,
    }
    return {
        **_environment(environment, project, iso),
        "repository_id": project.repository_id,
        "created_by_id": None,
        "dbt_project_subdirectory": None,
        "repository": repository(project) if "repository" in related else None,
        "connection": connection if "connection" in related else None,
        "jobs": [],
        "custom_environment_variables": None,
    }


def environment_v3(environment: Environment, project: Project) -> dict[str, Any]:
    """An environment of a project (dbt Cloud API: EnvironmentV3Response)."""
    return {
        **_environment(environment, project, iso),
        "is_deferrable": environment.deployment_type == "production",
        "enable_model_query_history": False,
        "enable_dbt_state": False,
        "project": None,
        "primary_profile_id": None,
        "credentials": None,
        "fusion_readiness": None,
    }


def _environment(environment: Environment, project: Project, stamp: Any) -> dict[str, Any]:
    return {
        "id": environment.id,
        "account_id": project.account_id,
        "project_id": project.id,
        "connection_id": project.connection_id,
        "credentials_id": None if environment.type == "development" else environment.id + 9,
        "extended_attributes_id": None,
        "name": environment.name,
        "dbt_version": environment.dbt_version,
        "raw_dbt_version": environment.dbt_version,
        "type": environment.type,
        "deployment_type": environment.deployment_type,
        "use_custom_branch": environment.custom_branch is not None,
        "custom_branch": environment.custom_branch,
        "supports_docs": True,
        "state": 1,
        "created_at": stamp(environment.created_at),
        "updated_at": stamp(environment.created_at),
    }


def job_object(job: Job, cloud: "Cloud", related: frozenset[str]) -> dict[str, Any]:
    """A job (dbt Cloud API: HumanReadableJobDefinitionResponse)."""
    project = cloud.world.projects[job.project_id]
    environment = next((e for e in project.environments if e.id == job.environment_id), None)
    with_environment = environment is not None and "environment" in related
    next_run = job.cadence.next_after(cloud.now()) if job.state == 1 and job.triggers.schedule else None
    return {
        **internal_job(job),
        "schedule": {
            "cron": job.cadence.cron,
            "date": {"type": "custom_cron", "cron": job.cadence.cron},
            "time": {"type": "every_hour", "interval": 1},
        },
        "generate_sources": job.generate_sources,
        "is_deferrable": False,
        "lifecycle_webhooks_url": None,
        "raw_dbt_version": job.dbt_version,
        "run_failure_count": 0,
        "deactivated": False,
        "job_completion_trigger_condition": _completion(job, cloud),
        "created_at": iso(job.created_at),
        "updated_at": iso(job.updated_at),
        "account": None,
        "project": None,
        "environment": environment_v2(environment, project, frozenset(), cloud)
        if with_environment and environment
        else None,
        "fusion_readiness": None,
        "custom_environment_variables": [] if "custom_environment_variables" in related else None,
        "most_recent_run": None,
        "most_recent_completed_run": None,
        "cron_humanized": job.cadence.humanized(),
        "next_run": spaced(next_run),
        "next_run_humanized": None,
    }


def internal_job(job: Job) -> dict[str, Any]:
    """A job as a run carries it (dbt Cloud API: InternalJobDefinition)."""
    return {
        "id": job.id,
        "account_id": job.account_id,
        "project_id": job.project_id,
        "environment_id": job.environment_id,
        "name": job.name,
        "description": job.description,
        "dbt_version": job.dbt_version,
        "deferring_environment_id": job.deferring_environment_id,
        "deferring_job_definition_id": None,
        "execute_steps": list(job.execute_steps),
        "execution": {"timeout_seconds": job.timeout_seconds},
        "generate_docs": job.generate_docs,
        "job_type": job.job_type,
        "lifecycle_webhooks": False,
        "run_compare_changes": False,
        "compare_changes_flags": "--select state:modified",
        "run_generate_sources": job.generate_sources,
        "run_lint": False,
        "errors_on_lint_failure": True,
        "cost_optimization_features": [],
        "settings": {"threads": job.threads, "target_name": job.target_name},
        "state": job.state,
        "triggers_on_draft_pr": False,
        "triggers": {
            "github_webhook": job.triggers.github_webhook,
            "git_provider_webhook": False,
            "schedule": job.triggers.schedule,
            "on_merge": job.triggers.on_merge,
            "custom_branch_only": job.triggers.custom_branch_only,
        },
        "schedule": {"cron": job.cadence.cron, "date": "custom_cron", "time": "every_hour"},
    }


def user_object(user: User, account: Account) -> dict[str, Any]:
    """A person (dbt Cloud API: UserResponse)."""
    unconnected = ("azure_active_directory", "enterprise", "github", "gitlab")
    return {
        "id": user.id,
        "state": 1,
        "name": f"{user.first_name} {user.last_name}",
        "first_name": user.first_name,
        "last_name": user.last_name,
        "email": user.email,
        "is_active": True,
        "is_staff": False,
        "email_connected": True,
        "email_verified": True,
        "sso_only_user": False,
        "last_login": None,
        "apitoken_last_used": None,
        "enterprise_authentication_method": None,
        **{f"{name}_connected": False for name in unconnected},
        **{f"{name}_username": None for name in unconnected},
        **{f"{name}_token_retrieval_failure": False for name in unconnected},
        "auth_provider_infos": {},
        "licenses": {},
        "permissions": [{"license_type": "developer", "state": 1, "account_id": account.id}],
        "created_at": spaced(account.created_at),
    }


def _completion(job: Job, cloud: "Cloud") -> dict[str, Any] | None:
    if job.after_job_id is None:
        return None
    before = cloud.jobs[job.after_job_id]
    return {"condition": {"job_id": before.id, "project_id": before.project_id, "statuses": [10]}}
