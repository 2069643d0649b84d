"""From the figures of all rounds to medians, ratios, the verdict on the floors, the table and the JSON.

A ratio is taken within each round, where the ways were measured within seconds of each other, and the median of those
is reported: what else the machine did at the time then falls on both sides of the fraction.
"""
import statistics

from figures import FIGURES, FLOORS, HIGHER, IDLE_AGENTS, RESUME_COST, TCP_DOWNLOAD

QUIET = 0.2  # cores; an idle machine's daemons stay far below
TITLE = max(len(figure.title) for figure in FIGURES.values())  # columns


class Results:
    def __init__(self):
        self.rounds = []          # of {way: {figure: value}}
        self.cross_loop = []      # of {figure: ratio to the agent's own loop}
        self.resume_cost = []     # of {figure: ratio to sessions that end with their connection}
        self.tcp_download = []    # of {"tcp_download": ratio to our HTTPS, "tcp_download_rate": MiB/s}
        self.idle_agents = {}     # {figure: value}, one measurement
        self.failures = []        # texts
        self.busy_cores = []      # before each round: what others used of the machine

    def median(self, way, figure):
        values = [one[way][figure] for one in self.rounds if figure in one.get(way, {})]
        return statistics.median(values) if values else None

    def ratio(self, figure, way, to):
        values = [one[way][figure] / one[to][figure] for one in self.rounds
                  if one.get(way, {}).get(figure) is not None and one.get(to, {}).get(figure)]
        return statistics.median(values) if values else None

    def ratios(self, way, to):
        every = {figure: self.ratio(figure, way, to) for figure in FIGURES}
        return {figure: round(value, 4) for figure, value in every.items() if value is not None}

    def cross_loop_medians(self):
        return _medians(self.cross_loop)

    def resume_cost_medians(self):
        return _medians(self.resume_cost)

    def tcp_download_medians(self):
        return _medians(self.tcp_download)

    def floors(self):
        """{figure: {"floor", "value", "met"}}; what was not measured is not met."""
        verdicts = {}
        for figure, floor in FLOORS.items():
            value = self.ratio(figure, "sallyport", "direct")
            higher = FIGURES[figure].better == HIGHER
            met = value is not None and (value >= floor if higher else value <= floor)
            verdicts[figure] = {"floor": floor, "value": value, "met": met}
        cost = self.resume_cost_medians()
        for figure, floor in RESUME_COST.items():
            value = cost.get(figure)
            verdicts[figure] = {"floor": floor, "value": value, "met": value is not None and value >= floor}
        value = self.tcp_download_medians().get("tcp_download")
        verdicts["tcp_download"] = {"floor": TCP_DOWNLOAD, "value": value, "met": value is not None and value >= TCP_DOWNLOAD}
        for figure, (_, _, floor) in IDLE_AGENTS.items():
            if floor is not None:
                value = self.idle_agents.get(figure)
                verdicts[f"idle_agent_{figure}"] = {"floor": floor, "value": value, "met": value is not None and value <= floor}
        return verdicts

    def as_json(self, about):
        ways = sorted({way for one in self.rounds for way in one})
        medians = {way: {figure: self.median(way, figure) for figure in FIGURES if self.median(way, figure) is not None}
                   for way in ways}
        return {
            **about,
            "ratios_to_direct": self.ratios("sallyport", "direct"),
            "ratios_to_ssh": self.ratios("sallyport", "ssh"),
            "ratios_ssh_to_direct": self.ratios("ssh", "direct"),
            "idle_agents": self.idle_agents,
            "cross_loop_ratios": self.cross_loop_medians(),
            "resume_cost_ratios": self.resume_cost_medians(),
            "tcp_download": self.tcp_download_medians(),
            "medians": medians,
            "rounds": self.rounds,
            "cross_loop_rounds": self.cross_loop,
            "resume_cost_rounds": self.resume_cost,
            "tcp_download_rounds": self.tcp_download,
            "busy_cores": self.busy_cores,
            "floors": self.floors(),
            "failures": self.failures,
        }


def _medians(rounds):
    return {figure: round(statistics.median(one[figure] for one in rounds), 4) for figure in (rounds[0] if rounds else ())}


def _number(value):
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _ratio(value):
    return "-" if value is None else f"{value:.2f}"


def table(results):
    """The medians and ratios for people."""
    head = f"{'':{TITLE}} {'unit':>11} {'(a) nginx':>10} {'(b) ssh -R':>10} {'(c) ours':>10} {'c/a':>6} {'c/b':>6} {'b/a':>6}  floor c/a"
    lines = [head, "-" * len(head)]
    for name, figure in FIGURES.items():
        medians = [results.median(way, name) for way in ("direct", "ssh", "sallyport")]
        if medians == [None, None, None]:
            continue
        ratios = [results.ratio(name, *pair) for pair in (("sallyport", "direct"), ("sallyport", "ssh"), ("ssh", "direct"))]
        floor = ""
        if name in FLOORS:
            floor = f"  {'>=' if figure.better == HIGHER else '<='} {FLOORS[name]:.2f}"
        lines.append(f"{figure.title:{TITLE}} {figure.unit:>11} " + " ".join(f"{_number(value):>10}" for value in medians)
                     + " " + " ".join(f"{_ratio(value):>6}" for value in ratios) + floor)
    for figure, (title, unit, floor) in IDLE_AGENTS.items():
        if figure in results.idle_agents:
            lines.append(f"{title:{TITLE}} {unit:>11} {'':>10} {'':>10} {_number(results.idle_agents[figure]):>10}"
                         + (f"{'':21}  <= {floor:.0f}" if floor is not None else ""))
    if cross := results.cross_loop_medians():
        lines.append("cross-loop stream against the agent's own loop (c/c): "
                     + ", ".join(f"{name.removeprefix('cross_loop_')} {_ratio(value)}" for name, value in cross.items()))
    if cost := results.resume_cost_medians():
        lines.append("sessions that can be resumed against those that can't (c/c): "
                     + ", ".join(f"{name.removeprefix('resume_cost_')} {_ratio(value)}" for name, value in cost.items())
                     + f"; the floor is {min(RESUME_COST.values()):.2f}")
    if tcp := results.tcp_download_medians():
        lines.append(f"a TCP route's download against our HTTPS (c/c): {_ratio(tcp['tcp_download'])} at {_number(tcp['tcp_download_rate'])} MiB/s"
                     f"; the floor is {TCP_DOWNLOAD:.2f}")
    if results.busy_cores and (busy := statistics.median(results.busy_cores)) > QUIET:
        lines.append(f"Others kept {busy:.1f} cores of this machine busy meanwhile: read latencies and rates with that in mind.")
    return "\n".join(lines)
