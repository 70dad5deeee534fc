"""The v2 and v3 API of what is configured: accounts, projects, environments, connections, users."""

from collections.abc import Sequence

from headwater.simulator.answers import Answer, Page, listing, not_found, refusal, single, unauthorized
from headwater.simulator.cloud import Cloud
from headwater.simulator.query import ListRules, above, among, contains, equals, select, whole, word
from headwater.simulator.routing import Asked, Route
from headwater.simulator.shapes import (
    account_connection,
    account_object,
    environment_v2,
    environment_v3,
    project_object,
    user_object,
)  # fmt: skip
from headwater.simulator.times import spaced
from headwater.simulator.world import Environment, Project

_PROJECTS = ListRules(
    {
        "pk": equals(whole, lambda project: project.id),
        "pk__gt": above(lambda project: project.id),
        "pk__in": among(whole, lambda project: project.id),
        "name__icontains": contains(lambda project: project.name),
    },
    {"id": lambda project: project.id, "name": lambda project: project.name},
)
_ENVIRONMENTS = ListRules(
    {
        "pk": equals(whole, lambda environment: environment.id),
        "pk__in": among(whole, lambda environment: environment.id),
        "id__gt": above(lambda environment: environment.id),
        "project_id": equals(whole, lambda environment: environment.project_id),
        "project_id__in": among(whole, lambda environment: environment.project_id),
        "dbt_version": equals(word, lambda environment: environment.dbt_version),
        "dbt_version__in": among(word, lambda environment: environment.dbt_version),
        "type": equals(word, lambda environment: environment.type),
        "deployment_type": equals(word, lambda environment: environment.deployment_type),
        "deployment_type__in": among(word, lambda environment: environment.deployment_type),
        "name": equals(word, lambda environment: environment.name),
        "name__icontains": contains(lambda environment: environment.name),
    },
    {"id": lambda environment: environment.id, "name": lambda environment: environment.name},
)
_USERS = ListRules({}, {"id": lambda user: user.id, "email": lambda user: user.email})
_PLAIN = ListRules({}, {"id": lambda item: item.id})


def routes() -> list[Route]:
    """The routes of this module."""
    v2, v3 = "/api/v2/accounts/{account_id}", "/api/v3/accounts/{account_id}"
    project = f"{v3}/projects/{{project_id}}"
    return [
        Route("/api/v2/accounts/", {"GET": list_accounts}),
        Route("/api/v3/accounts/", {"GET": list_accounts}),
        Route(f"{v2}/", {"GET": get_account}),
        Route(f"{v3}/", {"GET": get_account}),
        Route("/api/v2/whoami/", {"GET": who_am_i}),
        Route(f"{v2}/projects/", {"GET": list_projects}, "projects"),
        Route(f"{v2}/projects/{{project_id}}/", {"GET": get_project}, "projects"),
        Route(f"{v3}/projects/", {"GET": list_projects}, "projects"),
        Route(f"{project}/", {"GET": get_project}, "projects"),
        Route(f"{v2}/environments/", {"GET": list_environments}, "environments"),
        Route(f"{v2}/environments/{{environment_id}}/", {"GET": get_environment}, "environments"),
        Route(f"{project}/environments/", {"GET": list_environments}, "environments"),
        Route(f"{project}/environments/{{environment_id}}/", {"GET": get_environment}, "environments"),
        Route(f"{project}/profiles/", {"GET": list_profiles}, "environments"),
        Route(f"{v3}/connections/", {"GET": list_connections}, "connections"),
        Route(f"{v3}/connections/{{connection_id}}/", {"GET": get_connection}, "connections"),
        Route(f"{v2}/users/", {"GET": list_users}, "projects"),
        Route(f"{v3}/users/", {"GET": list_users}, "projects"),
        Route(f"{v3}/service-tokens/", {"GET": list_service_tokens}, "webhooks"),
        Route(f"{v3}/service-tokens/{{token_id}}/permissions/", {"GET": list_permissions}, "webhooks"),
        Route(f"{v3}/audit-logs/", {"GET": list_audit_logs}, "webhooks"),
    ]


def list_accounts(cloud: Cloud, asked: Asked) -> Answer:
    """The one account that a token opens."""
    visible = [] if asked.account.id in cloud.faults.hidden_accounts else [asked.account]
    page = _page(cloud, asked, visible, _PLAIN)
    return listing([account_object(account) for account in page.items], page)


def get_account(cloud: Cloud, asked: Asked) -> Answer:
    """One account."""
    return single(account_object(cloud.accounts[asked.account.id]))


def who_am_i(cloud: Cloud, asked: Asked) -> Answer:
    """The person behind a personal token (undocumented); a service token is nobody."""
    user = asked.token.user
    if user is None:
        raise unauthorized() if cloud.assumptions.whoami_without_user == "unauthorized" else not_found()
    names = {"id": user.id, "email": user.email, "first_name": user.first_name, "last_name": user.last_name}
    return single({"user": names})


def list_projects(cloud: Cloud, asked: Asked) -> Answer:
    """The projects of an account that the token sees."""
    page = _page(cloud, asked, _projects(asked), _PROJECTS)
    related, version = asked.query.related(), _version(asked)
    return listing([project_object(item, asked.account, version, related) for item in page.items], page)


def get_project(cloud: Cloud, asked: Asked) -> Answer:
    """One project."""
    del cloud
    return single(project_object(_project(asked), asked.account, _version(asked), asked.query.related()))


def list_environments(cloud: Cloud, asked: Asked) -> Answer:
    """The environments of an account (v2) or of a project (v3)."""
    projects = [_project(asked)] if "project_id" in asked.params else _projects(asked)
    found = [environment for project in projects for environment in project.environments]
    page = _page(cloud, asked, found, _ENVIRONMENTS)
    return listing([_environment_object(cloud, asked, item) for item in page.items], page)


def get_environment(cloud: Cloud, asked: Asked) -> Answer:
    """One environment."""
    projects = [_project(asked)] if "project_id" in asked.params else _projects(asked)
    for environment in (e for project in projects for e in project.environments):
        if environment.id == asked.number("environment_id"):
            return single(_environment_object(cloud, asked, environment))
    raise not_found()


def list_profiles(cloud: Cloud, asked: Asked) -> Answer:
    """The profiles of a project: one, on the account's connection."""
    project = _project(asked)
    document: dict[str, object] = {
        "id": project.connection_id + 1,
        "account_id": asked.account.id,
        "project_id": project.id,
        "key": project.recorded.name,
        "connection_id": project.connection_id,
        "credentials_id": project.environment("production").id + 9,
        "extended_attributes_id": None,
        "primary_bindings": [],
        "catalog_bindings": [],
    }
    page = _page(cloud, asked, [project], _PLAIN)
    return listing([document] if page.items else [], page)


def list_connections(cloud: Cloud, asked: Asked) -> Answer:
    """The connections of an account, without their config."""
    page = _page(cloud, asked, [asked.account], _PLAIN)
    return listing([account_connection(account, with_config=False) for account in page.items], page)


def get_connection(cloud: Cloud, asked: Asked) -> Answer:
    """One connection, with its config."""
    del cloud
    if asked.number("connection_id") != asked.account.connection_id:
        raise not_found()
    return single(account_connection(asked.account, with_config=True))


def list_users(cloud: Cloud, asked: Asked) -> Answer:
    """The people of an account."""
    page = _page(cloud, asked, list(asked.account.users), _USERS)
    return listing([user_object(user, asked.account) for user in page.items], page)


def list_service_tokens(cloud: Cloud, asked: Asked) -> Answer:
    """The service tokens of an account, without their secrets."""
    tokens = [token for token in asked.account.tokens if token.user is None]
    page = _page(cloud, asked, tokens, _PLAIN)
    stamp = spaced(asked.account.created_at)
    documents = [
        {
            "id": token.id,
            "account_id": asked.account.id,
            "uid": f"{token.id:x}",
            "name": token.kind,
            "state": 1,
            "permission_grants": [],
            "last_used": None,
            "created_at": stamp,
            "updated_at": stamp,
        }
        for token in page.items
    ]
    return listing(documents, page)


def list_permissions(cloud: Cloud, asked: Asked) -> Answer:
    """What a service token may."""
    token = next((t for t in asked.account.tokens if t.id == asked.number("token_id") and not t.user), None)
    if token is None:
        raise not_found()
    stamp = spaced(asked.account.created_at)
    document: dict[str, object] = {
        "id": token.id + 1,
        "account_id": asked.account.id,
        "service_token_id": token.id,
        "project_id": min(token.project_ids) if token.project_ids else None,
        "all_projects": token.project_ids is None,
        "permission_set": "account_admin" if "write" in token.permissions else "job_viewer",
        "state": 1,
        "writable_environment_categories": [],
        "created_at": stamp,
        "updated_at": stamp,
    }
    page = _page(cloud, asked, [token], _PLAIN)
    return listing([document] if page.items else [], page)


def list_audit_logs(cloud: Cloud, asked: Asked) -> Answer:
    """The audit log, in which the simulator writes nothing."""
    page = _page(cloud, asked, [], _PLAIN)
    return listing([], page)


def refuse_permission(cloud: Cloud) -> Exception:
    """What a token gets where it lacks the permission."""
    if cloud.assumptions.missing_permission == "forbidden":
        return refusal(403, "You do not have permission to perform this action.")
    return not_found()


def _page(cloud: Cloud, asked: Asked, items: Sequence[object], rules: ListRules) -> Page:
    clamp = cloud.assumptions.limit_over_100 == "clamp"
    return select(asked.query, items, rules, asked.account.id, clamp=clamp)


def _projects(asked: Asked) -> list[Project]:
    return [project for project in asked.account.projects if asked.token.sees(project.id)]


def _project(asked: Asked) -> Project:
    found = next((item for item in _projects(asked) if item.id == asked.number("project_id")), None)
    if found is None:
        raise not_found()
    return found


def _environment_object(cloud: Cloud, asked: Asked, environment: Environment) -> dict[str, object]:
    project = cloud.world.projects[environment.project_id]
    if _version(asked) == 3:
        return environment_v3(environment, project)
    return environment_v2(environment, project, asked.query.related(), cloud)


def _version(asked: Asked) -> int:
    return 3 if asked.path.startswith("/api/v3/") else 2
