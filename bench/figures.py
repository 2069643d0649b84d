"""What the figures are called, how a person reads them, and the floors of the project against (a)."""
import dataclasses

HIGHER, LOWER = "higher is better", "lower is better"


@dataclasses.dataclass(frozen=True)
class Figure:
    title: str
    unit: str
    better: str


_LATENCY = ("µs", LOWER)
_RATE = ("MiB/s", HIGHER)
_CPU = ("CPU s/GiB", LOWER)

FIGURES = {
    "requests_c64": Figure("requests, 64 connections", "1/s", HIGHER),
    "p50_c64": Figure("  p50", *_LATENCY),
    "p99_c64": Figure("  p99", *_LATENCY),
    "cpu_per_request": Figure("  CPU of what is between", "µs/request", LOWER),
    "requests_c1": Figure("requests, 1 connection", "1/s", HIGHER),
    "p50_c1": Figure("  p50", *_LATENCY),
    "p99_c1": Figure("  p99", *_LATENCY),
    "requests_behind_nginx": Figure("64 connections, all behind nginx", "1/s", HIGHER),
    "p50_behind_nginx": Figure("  p50", *_LATENCY),
    "p99_behind_nginx": Figure("  p99", *_LATENCY),
    "cpu_per_request_behind_nginx": Figure("  CPU of what is between", "µs/request", LOWER),
    "http2_1x100": Figure("HTTP/2 requests, 1 connection x 100", "1/s", HIGHER),
    "cpu_per_request_http2_1x100": Figure("  CPU of what is between", "µs/request", LOWER),
    "http2_64x10": Figure("HTTP/2 requests, 64 connections x 10", "1/s", HIGHER),
    "cpu_per_request_http2_64x10": Figure("  CPU of what is between", "µs/request", LOWER),
    "connections": Figure("new TLS connections", "1/s", HIGHER),
    "connection_p50": Figure("  p50 with its request", *_LATENCY),
    "connection_p99": Figure("  p99", *_LATENCY),
    "download_1": Figure("download, 1 stream", *_RATE),
    "cpu_per_gib": Figure("  CPU of what is between", *_CPU),
    "download_8": Figure("download, 8 streams", *_RATE),
    "cpu_per_gib_download_8": Figure("  CPU of what is between", *_CPU),
    "upload_1": Figure("upload, 1 stream", *_RATE),
    "cpu_per_gib_upload": Figure("  CPU of what is between", *_CPU),
    "upload_8": Figure("upload, 8 streams", *_RATE),
    "cpu_per_gib_upload_8": Figure("  CPU of what is between", *_CPU),
    "requests_beside_download": Figure("requests beside 100 MiB/s", "1/s", HIGHER),
    "p50_beside_download": Figure("  p50", *_LATENCY),
    "p99_beside_download": Figure("  p99", *_LATENCY),
    "rate_beside_requests": Figure("  the download's rate", *_RATE),
    "requests_beside_download_c8": Figure("the same, 8 connections", "1/s", HIGHER),
    "p50_beside_download_c8": Figure("  p50", *_LATENCY),
    "p99_beside_download_c8": Figure("  p99", *_LATENCY),
    "websocket_messages_1": Figure("WebSocket echo, 1 connection", "1/s", HIGHER),
    "websocket_p50_1": Figure("  p50", *_LATENCY),
    "websocket_p99_1": Figure("  p99", *_LATENCY),
    "websocket_messages_200": Figure("WebSocket echo, 200 connections", "1/s", HIGHER),
    "websocket_p50_200": Figure("  p50", *_LATENCY),
    "websocket_p99_200": Figure("  p99", *_LATENCY),
}

# Ratio of ours to (a): at least for what is better higher, at most for the rest.
FLOORS = {
    "requests_c64": 0.65,
    "p99_c64": 1.6,
    "http2_1x100": 0.6,
    "http2_64x10": 0.6,
    "p50_c1": 1.5,
    "p99_c1": 1.8,
    "download_1": 0.70,
    "upload_1": 0.75,
    "cpu_per_gib": 2.3,
    "p99_beside_download": 2.0,
    "websocket_p50_1": 1.5,
}
# Bulk rate with sessions that can be resumed to that of sessions that can't, at least.
RESUME_COST = {"resume_cost_download": 0.95, "resume_cost_upload": 0.95}
# Rate of a download through a TCP route to that of one over our HTTPS, at least.
TCP_DOWNLOAD = 1.0
# Of 10,000 idle agents on one relay: title, unit and floor (at most).
IDLE_AGENTS = {
    "kib": ("relay memory per idle agent", "KiB", 45.0),
    "offline_kib": ("  of it while offline", "KiB", None),
    "cpu_percent": ("relay CPU with idle agents", "% of a core", 5.0),
    "return_seconds": ("all back after a restart", "s", 30.0),
    "return_agents_cpu": ("  CPU of the agents' process", "s", None),
    "add_ms": ("adding one by the API", "ms", None),
}
