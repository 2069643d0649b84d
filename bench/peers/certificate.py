"""The one P-256 certificate every way presents: self-signed, so the load programs are told to trust exactly it."""
import os

from .process import run

HOST = "localhost"  # the public hostname: the one name that getaddrinfo (wrk, curl) finds on every machine
WEBSOCKET_HOST = "echo.localhost"  # only our own load program asks for it, and that one resolves nothing


class Certificate:
    def __init__(self, folder):
        self.file = os.path.join(folder, "certificate.pem")
        self.key = os.path.join(folder, "key.pem")
        run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-sha256",
             "-days", "2", "-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST},DNS:{WEBSOCKET_HOST},IP:127.0.0.1",
             "-keyout", self.key, "-out", self.file], seconds=20)
