"""Run by ctest: what decides whether a floor is met."""
import unittest

from figures import FLOORS, IDLE_AGENTS, RESUME_COST, TCP_DOWNLOAD
from report import Results, table


def results_with(direct, ours):
    results = Results()
    for a, c in zip(direct, ours, strict=True):
        results.rounds.append({"direct": {name: a for name in FLOORS}, "sallyport": {name: c for name in FLOORS}})
    return results


class Report(unittest.TestCase):
    def test_a_ratio_is_taken_within_each_round(self):
        results = results_with([100, 50, 10], [80, 40, 30])  # 0.8, 0.8, 3: the medians alone would say 0.8 too
        self.assertAlmostEqual(results.ratio("download_1", "sallyport", "direct"), 0.8)
        slow_machine = results_with([100, 10, 10], [90, 90, 9])  # 0.9, 9, 0.9: the medians alone would say 9
        self.assertAlmostEqual(slow_machine.ratio("download_1", "sallyport", "direct"), 0.9)

    def test_floors_look_the_right_way(self):
        results = results_with([100], [100])
        results.resume_cost = [dict.fromkeys(RESUME_COST, 0.95)]
        results.tcp_download = [{"tcp_download": TCP_DOWNLOAD, "tcp_download_rate": 900.0}]
        results.idle_agents = {figure: floor for figure, (_, _, floor) in IDLE_AGENTS.items() if floor is not None}
        self.assertTrue(all(verdict["met"] for verdict in results.floors().values()))
        slower = results_with([100], [50]).floors()
        self.assertFalse(slower["download_1"]["met"])
        self.assertTrue(slower["p99_c64"]["met"])
        longer = results_with([100], [300]).floors()
        self.assertTrue(longer["download_1"]["met"])
        self.assertFalse(longer["p99_c64"]["met"])

    def test_what_resuming_may_cost_is_judged_by_the_median(self):
        results = Results()
        results.resume_cost = [dict.fromkeys(RESUME_COST, ratio) for ratio in (0.7, 0.99, 0.96)]
        self.assertTrue(all(results.floors()[figure]["met"] for figure in RESUME_COST))
        results.resume_cost += [dict.fromkeys(RESUME_COST, 0.8)] * 2
        self.assertFalse(any(results.floors()[figure]["met"] for figure in RESUME_COST))
        self.assertIn("can be resumed", table(results))

    def test_a_tcp_route_is_held_against_our_https(self):
        results = Results()
        results.tcp_download = [{"tcp_download": ratio, "tcp_download_rate": 900.0} for ratio in (0.5, 0.98, 1.4)]
        self.assertFalse(results.floors()["tcp_download"]["met"])
        self.assertIn("TCP route", table(results))

    def test_what_was_not_measured_is_not_met(self):
        self.assertFalse(any(verdict["met"] for verdict in Results().floors().values()))

    def test_a_row_that_failed_in_one_round_leaves_the_others(self):
        results = results_with([100, 100], [80, 80])
        del results.rounds[0]["sallyport"]["download_1"]
        self.assertAlmostEqual(results.ratio("download_1", "sallyport", "direct"), 0.8)
        self.assertIn("download, 1 stream", table(results))

    def test_the_json_names_what_the_floors_are_about(self):
        written = results_with([100], [80]).as_json({"quick": False})
        self.assertLessEqual(set(FLOORS), set(written["ratios_to_direct"]))
        self.assertIn("idle_agents", written)


if __name__ == "__main__":
    unittest.main()
