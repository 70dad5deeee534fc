"""The sync log on the page of an account, and removing one."""

from web_people import log_in_as

from headwater.observatory.access import Role


def test_the_sync_log_says_what_passes_brought(site, tokens):
    """Quiet passes are one line, others say what came, and an error is said in words."""
    page = site.ask("/accounts/acme", token=tokens["viewer"]).text
    log = page[page.index('id="log"') :].split("</section>")[0]

    assert "42 passes since" in log
    assert "3 new runs, 1 run updated, 6 artifacts stored" in log
    assert "cloud.getdbt.com was asked too often (429)." in log
    assert "Sync now" not in page
    assert "Sync now" in site.ask("/accounts/acme", token=tokens["operator"]).text


def test_an_account_is_removed_only_where_its_name_is_written(serve_door, observatory):
    """Another name removes nothing and says so; the right one does, and the accounts say that it is gone."""
    removed = []
    session = log_in_as(observatory, Role.ADMIN)
    same_site = {"Sec-Fetch-Site": "same-origin"}

    def remove(name, *, by):
        removed.append((name, by.name))
        return ""

    with serve_door(remove_account=remove) as site:
        wrong = site.ask("/accounts/acme/remove", "POST", session=session, headers=same_site, body=b"name=beans")
        right = site.ask("/accounts/acme/remove", "POST", session=session, headers=same_site, body=b"name=acme")
        after = site.ask(right.headers["location"], session=session)

    assert (wrong.status, "as it stands at the top" in wrong.text) == (400, True)
    assert (right.status, removed) == (303, [("acme", "some-admin")])
    assert "The account was removed" in after.text
