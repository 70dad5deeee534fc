"""Lists of what is configured, filtered and ordered as clients ask for it."""


def test_environments_are_filtered_by_lists(reader):
    """The environments of a project are kept by deployment types and by ids, each a JSON list."""
    project = reader.get("/api/v3/accounts/{a}/projects/").ids[0]
    path = f"/api/v3/accounts/{{a}}/projects/{project}/environments/"
    listed = reader.get(path).data
    production = [item["id"] for item in listed if item["deployment_type"] == "production"]
    assert 0 < len(production) < len(listed)

    assert reader.get(path, deployment_type__in='["production"]').ids == production
    assert reader.get(path, pk__in=f"[{listed[-1]['id']}]").ids == [listed[-1]["id"]]


def test_people_are_ordered_by_address(reader):
    """People may be asked for in the order of their addresses, which dbtc always does."""
    people = reader.get("/api/v3/accounts/{a}/users/", order_by="-email").data
    addresses = [person["email"] for person in people]

    assert len(set(addresses)) > 1
    assert addresses == sorted(addresses, reverse=True)
