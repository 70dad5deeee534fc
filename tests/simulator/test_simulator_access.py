"""Who may ask, and how addresses may be written."""

import pytest


@pytest.mark.parametrize("scheme", ["Token", "Bearer"])
def test_token_and_bearer_are_the_same(month, client_for, scheme):
    """Both words before the secret open the account."""
    assert client_for(month, scheme=scheme).get("/api/v2/accounts/{a}/").status == 200


@pytest.mark.parametrize("header", [{}, {"Authorization": "Token wrong"}, {"Authorization": "{secret}"}])
def test_without_a_good_token_the_answer_is_401(reader, header):
    """No header, an unknown secret and a secret without its word are all refused."""
    sent = {key: value.replace("{secret}", reader.account.token) for key, value in header.items()}
    reply = reader.ask("GET", "/api/v2/accounts/{a}/runs/", headers=sent)
    assert reply.status == 401
    assert reply.json == {
        "status": {"code": 401, "is_success": False, "user_message": "Invalid token.", "developer_message": None},
        "data": None,
    }


def test_an_address_off_the_list_is_told_so(month, client_for):
    """An IP restriction answers 403 with the words that say so."""
    reply = client_for(month, kind="ip_blocked").get("/api/v2/accounts/{a}/")
    assert reply.status == 403
    assert reply.json["status"]["user_message"] == "Forbidden: Access denied"
    assert reply.data["account_access_denied"] is True
    assert reply.data["is_service_token"] is True


def test_a_token_sees_its_own_account_only(month, client_for):
    """The list has one account, and another's address is not found."""
    first, second = client_for(month), client_for(month, account=1)
    assert first.get("/api/v3/accounts/").ids == [first.account.id]
    assert first.get("/api/v2/accounts/").total == 1
    reply = first.get(f"/api/v2/accounts/{second.account.id}/runs/")
    assert reply.status == 404
    assert reply.json["status"]["user_message"].startswith("The requested resource was not found.")
    assert reply.data is None


def test_a_token_of_one_project_is_scoped_in_silence(month, client_for, reader):
    """Lists shrink without an error, and objects of other projects are not found."""
    scoped = client_for(month, kind="one_project")
    (project,) = scoped.get("/api/v3/accounts/{a}/projects/").data
    assert project["name"] == "Finance"
    assert {run["project_id"] for run in scoped.all_runs()} == {project["id"]}
    foreign = next(run["id"] for run in reader.runs().data if run["project_id"] != project["id"])
    assert scoped.run(foreign).status == 404
    assert client_for(month, account=1, kind="one_project").runs().total == 0


def test_a_missing_permission_is_not_found(month, client_for):
    """A token without environments reads runs but not environments."""
    limited = client_for(month, kind="no_environments")
    assert limited.runs(limit=1).status == 200
    assert limited.get("/api/v2/accounts/{a}/environments/").status == 404
    assert client_for(month, kind="read_only").post("/api/v2/accounts/{a}/jobs/", {}).status == 404


def test_a_missing_permission_may_be_assumed_forbidden(simulate, client_for):
    """With the assumption turned round, the answer is 403."""
    simulator = simulate(assume=("missing_permission=forbidden",)).simulator
    assert client_for(simulator, kind="no_environments").get("/api/v2/accounts/{a}/environments/").status == 403


def test_only_a_person_is_somebody(month, client_for, simulate):
    """A personal token is told its user; a service token is refused, in either assumed way."""
    person = client_for(month, kind="personal").get("/api/v2/whoami/")
    assert person.status == 200
    assert set(person.data["user"]) == {"id", "email", "first_name", "last_name"}
    assert client_for(month).get("/api/v2/whoami/").status == 401
    assert simulate(assume=("whoami_without_user=not_found",)).get("/api/v2/whoami/").status == 404


@pytest.mark.parametrize(
    "path",
    ["/api/v2/accounts/{a}/runs", "/api/v3/accounts/{a}/projects", "/api/v2/accounts/{a}/jobs", "/api/v2/accounts/{a}"],
)
def test_a_trailing_slash_makes_no_difference(reader, path):
    """With and without it the answer is the same, and no redirect."""
    assert reader.get(path).body == reader.get(f"{path}/").body


def test_a_doubled_slash_is_not_found(reader):
    """`//` is not repaired."""
    assert reader.get("/api/v2/accounts/{a}//runs/").status == 404
    assert reader.get("/api/v2//accounts/").status == 404


def test_unknown_addresses_are_not_found(reader):
    """Neither are words where ids belong."""
    assert reader.get("/api/v2/accounts/{a}/nothing/").status == 404
    assert reader.get("/api/v2/accounts/{a}/runs/latest/").status == 404


def test_a_wrong_method_is_told_in_the_frameworks_words(reader):
    """405 has no envelope."""
    reply = reader.get(f"/api/v2/accounts/{{a}}/jobs/{reader.job('CI checks')['id']}/run/")
    assert (reply.status, reply.json) == (405, {"detail": 'Method "GET" not allowed.'})


def test_the_root_is_a_page(reader):
    """Airflow's connection test asks for it, without a token."""
    reply = reader.ask("GET", "/", headers={})
    assert reply.status == 200
    assert reply.headers["content-type"].startswith("text/html")


def test_a_revoked_token_and_a_hidden_account(simulate):
    """A token may be revoked, an account may vanish, while the simulator runs."""
    client = simulate()
    client.simulator.control("POST", "faults", {"hide_accounts": [client.account.id]})
    assert client.get("/api/v2/accounts/{a}/").status == 404
    assert client.get("/api/v3/accounts/").total == 0
    client.simulator.control("POST", "faults", {"clear": True, "revoke_tokens": [client.account.token]})
    assert client.get("/api/v2/accounts/{a}/").status == 401
