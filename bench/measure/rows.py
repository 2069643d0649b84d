"""The rows: each measures one way once and returns its figures by name (the names are explained in figures.py)."""
from peers.certificate import HOST
from peers.process import BenchError

from . import curl, h2load, wrk
from .cpu import Meter

DOWNLOAD_BESIDE = 100  # MiB/s of the download beside which requests are measured


class Rows:
    def __init__(self, setting, plan):
        self._plan = plan
        self._files = setting.files
        self._certificate = setting.certificate
        self._tools = setting.tools

    def requests_c64(self, way):
        return self._requests_64(way, "c64", "cpu_per_request")

    def behind_nginx(self, way):
        """The same 64 with nginx ending TLS in front of every way; ours is asked at `plain_listen`."""
        return self._requests_64(way.behind_nginx, "behind_nginx", "cpu_per_request_behind_nginx")

    def _requests_64(self, way, name, cpu):
        with Meter(way.pids) as meter:
            seen = wrk.load(self._url(way), 64, self._plan.seconds)
        return {f"requests_{name}": seen["requests"], f"p50_{name}": seen["p50"], f"p99_{name}": seen["p99"],
                cpu: meter.seconds / seen["count"] * 1e6}

    def requests_c1(self, way):
        seen = wrk.load(self._url(way), 1, self._plan.seconds)
        return {"requests_c1": seen["requests"], "p50_c1": seen["p50"], "p99_c1": seen["p99"]}

    def http2_1x100(self, way):
        return self._http2(way, connections=1, streams=100)

    def http2_64x10(self, way):
        return self._http2(way, connections=64, streams=10)

    def _http2(self, way, connections, streams):
        with Meter(way.pids) as meter:
            seen = h2load.load(HOST, way.port, connections, streams, self._plan.seconds)
        name = f"http2_{connections}x{streams}"
        return {name: seen["requests"], f"cpu_per_request_{name}": meter.seconds / seen["count"] * 1e6}

    def connections(self, way):
        seen = self._tools.connect_load(way, self._plan.milliseconds)
        if seen["failed"]:
            raise BenchError(f"{seen['failed']} of {seen['completed'] + seen['failed']} connections failed")
        return {"connections": seen["completed"] / seen["seconds"], "connection_p50": seen["p50_us"],
                "connection_p99": seen["p99_us"]}

    def download_1(self, way):
        return self._transfer(way, curl.download, "download_1", "cpu_per_gib", streams=1)

    def download_8(self, way):
        return self._transfer(way, curl.download, "download_8", "cpu_per_gib_download_8", streams=8)

    def upload_1(self, way):
        return self._transfer(way, curl.upload, "upload_1", "cpu_per_gib_upload", streams=1)

    def upload_8(self, way):
        return self._transfer(way, curl.upload, "upload_8", "cpu_per_gib_upload_8", streams=8)

    def beside_download(self, way):
        """One connection: the machine is not full, so the latency tells who waits behind whom."""
        seen, rate = self._beside(way, connections=1)
        return {"requests_beside_download": seen["requests"], "p50_beside_download": seen["p50"],
                "p99_beside_download": seen["p99"], "rate_beside_requests": rate}

    def beside_download_c8(self, way):
        """Eight connections, which fill two cores."""
        seen, _ = self._beside(way, connections=8)
        return {"requests_beside_download_c8": seen["requests"], "p50_beside_download_c8": seen["p50"],
                "p99_beside_download_c8": seen["p99"]}

    def _beside(self, way, connections):
        seconds = self._plan.beside_seconds
        with curl.LimitedDownload(way, self._certificate, DOWNLOAD_BESIDE, seconds + 1) as download:
            seen = wrk.load(self._url(way), connections, seconds)
            if not download.running():
                raise BenchError("the download beside the requests ended before them")
            return seen, download.finish(seconds=10)

    def websocket_1(self, way):
        return self._websocket(way, 1)

    def websocket_200(self, way):
        return self._websocket(way, 200)

    def _websocket(self, way, connections):
        seen = self._tools.websocket_load(way, connections, self._plan.milliseconds)
        return {f"websocket_messages_{connections}": seen["completed"] / seen["seconds"],
                f"websocket_p50_{connections}": seen["p50_us"], f"websocket_p99_{connections}": seen["p99_us"]}

    def _transfer(self, way, move, rate, cpu, streams):
        with Meter(way.pids) as meter:
            mib_per_second = move(way, self._certificate, self._files, streams)
        return {rate: mib_per_second, cpu: meter.seconds / (self._files.size / (1 << 30))}

    @staticmethod
    def _url(way):
        return f"https://{HOST}:{way.port}/1k"


ROWS = ("requests_c64", "requests_c1", "behind_nginx", "http2_1x100", "http2_64x10", "connections",
        "download_1", "download_8", "upload_1", "upload_8", "beside_download", "beside_download_c8", "websocket_1", "websocket_200")


def cross_loop(way, plan):
    """Ours only: the visitor's SNI names no route and its Host does, so the connection is not handed to the
    agent's loop and every octet crosses threads. Beside it the same load with a name, from the same moment."""
    figures = {}
    for connections in (64, 1):
        own = wrk.load(f"https://{HOST}:{way.port}/1k", connections, plan.seconds)
        crossing = wrk.load(f"https://127.0.0.1:{way.port}/1k", connections, plan.seconds, header=f"Host: {HOST}:{way.port}")
        figures |= {f"cross_loop_requests_c{connections}": crossing["requests"] / own["requests"],
                    f"cross_loop_p50_c{connections}": crossing["p50"] / own["p50"],
                    f"cross_loop_p99_c{connections}": crossing["p99"] / own["p99"]}
    return figures


def tcp_download(way, certificate, files, https_first):
    """Ours only: a download through a TCP route, and over HTTPS within seconds of it."""
    measures = {"tcp": lambda: curl.plain_download(way.tcp_port, files.whole), "https": lambda: curl.download(way, certificate, files, streams=1)}
    rates = {name: measures[name]() for name in (("https", "tcp") if https_first else ("tcp", "https"))}
    return {"tcp_download": rates["tcp"] / rates["https"], "tcp_download_rate": rates["tcp"]}


def resume_cost(ways, certificate, files):
    """Ours only: bulk through sessions that keep what was sent until it is acknowledged, to bulk through such that don't. `ways`: with
    and without, in the order in which to measure them."""
    rates = {}
    for name, way in ways.items():
        rates[name] = {"download": curl.download(way, certificate, files, streams=1), "upload": curl.upload(way, certificate, files, streams=1)}
    return {f"resume_cost_{direction}": rates["with"][direction] / rates["without"][direction] for direction in ("download", "upload")}
