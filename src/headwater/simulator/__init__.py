"""A simulated dbt Cloud on loopback: real artifacts, its own idea of the API, faults by seed."""

from headwater.simulator.serve import RunningSimulator, serve, start_in_thread
from headwater.simulator.settings import Announcement, Assumptions, SimulatorSettings

__all__ = [
    "Announcement",
    "Assumptions",
    "RunningSimulator",
    "SimulatorSettings",
    "serve",
    "start_in_thread",
]
