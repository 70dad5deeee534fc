"""Projects joined to one graph."""

from __future__ import annotations

from headwater.analysis.lineage import Lineage
from headwater.analysis.mesh import ProjectLineage, join_projects, package_of
from headwater.model.lineage import NodeAddress


def make(name: str, project_id: int, role: str, parents: dict[str, tuple[str, ...]], imported=(), account_key=1):
    return ProjectLineage(
        account_key=account_key,
        project_id=project_id,
        environment_id=project_id * 10 + len(role),
        project_name=name,
        role=role,
        is_production=role == "production",
        parents_by_id=parents,
        imported=frozenset(imported),
    )


SHOP = {"model.shop.raw": (), "model.shop.orders": ("model.shop.raw",)}
FINANCE = {"model.shop.orders": (), "model.finance.ledger": ("model.shop.orders",)}


def test_an_imported_model_is_the_node_of_its_owner() -> None:
    """The other project's model is one node; upstream of what uses it goes on into the project that owns it."""
    shop = make("shop", 1, "production", SHOP)
    finance = make("finance", 2, "production", FINANCE, ["model.shop.orders"])
    nodes, stands_for = join_projects([finance, shop])
    lineage = Lineage.of(nodes)

    assert stands_for == {finance.address("model.shop.orders"): shop.address("model.shop.orders")}
    assert lineage.upstream(finance.address("model.finance.ledger")) == (
        shop.address("model.shop.raw"),
        shop.address("model.shop.orders"),
    )
    assert len(lineage) == 3


def test_a_parent_that_is_only_named_is_found_in_its_project() -> None:
    """Where the manifest names the other project's model and does not hold it, the link is the same."""
    shop = make("shop", 1, "production", SHOP)
    finance = make("finance", 2, "production", {"model.finance.ledger": ("model.shop.orders",)})
    lineage = Lineage.of(join_projects([shop, finance])[0])

    assert lineage.downstream(shop.address("model.shop.raw"))[-1] == finance.address("model.finance.ledger")
    assert lineage.dangling == ()


def test_staging_is_joined_to_staging_and_never_to_production_from_it() -> None:
    """An environment takes its own kind, else production; production takes production alone."""
    shop, shop_staging = make("shop", 1, "production", SHOP), make("shop", 1, "staging", SHOP)
    finance = make("finance", 2, "production", FINANCE, ["model.shop.orders"])
    finance_staging = make("finance", 2, "staging", FINANCE, ["model.shop.orders"])
    orders = finance_staging.address("model.shop.orders")

    assert join_projects([shop, shop_staging, finance, finance_staging])[1] == {
        finance.address("model.shop.orders"): shop.address("model.shop.orders"),
        orders: shop_staging.address("model.shop.orders"),
    }
    assert join_projects([shop, finance_staging])[1] == {orders: shop.address("model.shop.orders")}
    assert join_projects([shop_staging, finance])[1] == {}


def test_nobody_owns_across_accounts_or_what_is_an_installed_package() -> None:
    """Another account's project of the same name is another; a package that both have installed is each one's own."""
    shop = make("shop", 1, "production", SHOP, account_key=2)
    finance = make("finance", 2, "production", FINANCE, ["model.shop.orders"])
    other = make("other", 3, "production", {"model.utils.days": ()})
    third = make("third", 4, "production", {"model.utils.days": ()})
    nodes, stands_for = join_projects([shop, finance, other, third])

    assert stands_for == {}
    assert {node.address for node in nodes if "days" in node.address.unique_id} == {
        other.address("model.utils.days"),
        third.address("model.utils.days"),
    }


def test_a_project_that_two_projects_import_from_one_another_is_a_graph_too() -> None:
    """Projects that import from each other in a circle are joined; the circle is told, not fatal."""
    one = make("one", 1, "production", {"model.one.a": ("model.two.b",), "model.two.b": ()}, ["model.two.b"])
    two = make("two", 2, "production", {"model.two.b": ("model.one.a",), "model.one.a": ()}, ["model.one.a"])
    lineage = Lineage.of(join_projects([one, two])[0])

    assert lineage.cycles == ((NodeAddress(1, 1, 20, "model.one.a"), NodeAddress(1, 2, 30, "model.two.b")),)


def test_the_package_is_the_second_word() -> None:
    """A unique_id without dots has no package."""
    assert [package_of(name) for name in ("model.shop.a.b", "x", "", "a.b")] == ["shop", "", "", "b"]
