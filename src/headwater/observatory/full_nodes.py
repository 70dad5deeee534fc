"""All that is told of one node together: what it is, what it feeds, in what state it is, and the lineage around it."""

from __future__ import annotations

from dataclasses import dataclass

from headwater.observatory.explorer import LineageQuestion, look_around
from headwater.observatory.explorer_states import read_states
from headwater.observatory.holder import Observatory
from headwater.observatory.impact import read_impact
from headwater.observatory.lineage_reports import LineageReport, LineageStates
from headwater.observatory.node_reports import ImpactReport, NodeReport
from headwater.observatory.nodes import read_node
from headwater.observatory.provenance import read_provenance
from headwater.observatory.references import NodeQuestion, find_node
from headwater.observatory.revision import read_revision
from headwater.observatory.verdicts import VerdictReport, read_verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class FullNodeReport:
    """A node with its impact; where no run was named with its verdict, too, and the view around it with its states.

    All are of one moment, which `revision` tells.
    """

    node: NodeReport
    impact: ImpactReport
    verdict: VerdictReport | None
    around: tuple[LineageReport, LineageStates] | None
    revision: int


def get_full_node(observatory: Observatory, asked: NodeQuestion, *, with_ephemeral: bool = False) -> FullNodeReport:
    """Get all that is told of a node: found once, and read in one transaction.

    Raises:
        NotKnown: nothing is called so.
        Ambiguous: several nodes are.
    """
    now = observatory.store.now()
    with observatory.store.read() as tx:
        found = find_node(observatory, tx, asked)
        moment = found.moment.at or now
        provenance = read_provenance(tx, found.estate, found.address, moment)
        impact = read_impact(tx, found, now)
        verdict, around = None, None
        if asked.run_id is None:
            verdict = read_verdict(tx, found, impact, provenance, moment)
            memory = observatory.lineage
            around = read_states(tx, memory, look_around(memory, found), LineageQuestion(at=asked.at), now)
        return FullNodeReport(
            node=read_node(tx, found, provenance, now, with_ephemeral=with_ephemeral),
            impact=read_impact(tx, found, now, with_ephemeral=True) if with_ephemeral else impact,
            verdict=verdict,
            around=around,
            revision=read_revision(tx),
        )
