"""Which runs to list."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from headwater.dbtcloud.moments import write_moment

Window = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunQuery:
    """Which runs to list, and in which order: `id`, `created_at` or `finished_at`, with `-` the newest first.

    By `id`, the default, pages follow one another by raising the id, so that runs which come or go meanwhile move
    nothing. Every other order is paged by offset. `above_id` leaves out that id itself; windows include both ends.
    """

    above_id: int | None = None
    created: Window | None = None
    finished: Window | None = None
    status_codes: tuple[int, ...] = ()
    project_id: int | None = None
    environment_id: int | None = None
    job_id: int | None = None
    order: str = "id"
    include: tuple[str, ...] = ("trigger",)

    def parameters(self) -> dict[str, str]:
        """Give the query as dbt Cloud takes it; lists in the JSON form that its documentation uses."""
        numbers = {
            "project_id": self.project_id,
            "environment_id": self.environment_id,
            "job_definition_id": self.job_id,
            "id__gt": self.above_id,
        }
        found = {name: str(number) for name, number in numbers.items() if number is not None}
        for name, window in (("created_at__range", self.created), ("finished_at__range", self.finished)):
            if window is not None:
                found[name] = f'["{write_moment(window[0])}","{write_moment(window[1])}"]'
        if self.status_codes:
            found["status__in"] = write_ids(self.status_codes)
        if self.include:
            found["include_related"] = ",".join(self.include)
        return found | {"order_by": self.order}


def write_ids(ids: tuple[int, ...]) -> str:
    """Write a list of numbers as dbt Cloud takes it in a filter."""
    return f"[{','.join(str(number) for number in ids)}]"
