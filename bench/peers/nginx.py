"""nginx as backend, as the TLS front of the ways (a) and (b), and before (c) in the row that asks for it.

One configuration for all, meant to be nginx at its best on this work, because (a) is the bound the others are held against:
keep-alive everywhere and never ended by a count, no access log, nothing buffered on disk. What stays at its default
does so because it is the better or the usual choice: ssl_buffer_size 16k, tcp_nodelay on, TLS 1.2 and 1.3.
"""
import os

from .process import Process, free_port

WORKERS = 2      # front and backend; the ways have two cores' worth of it whatever the machine
FOREVER = 10**9  # requests on one connection; nginx would end it after 1,000 and wrk would shake hands again

_COMMON = """
{user}
worker_processes {workers};
pid {prefix}/nginx.pid;
error_log stderr warn;
worker_rlimit_nofile 16384;
events {{ worker_connections 8000; }}
http {{
    access_log off;
    sendfile on;
    keepalive_requests {forever};
    keepalive_timeout 300s;
    client_max_body_size 0;
    client_body_temp_path {prefix}/body;
    proxy_temp_path {prefix}/proxy;
    fastcgi_temp_path {prefix}/fastcgi;
    uwsgi_temp_path {prefix}/uwsgi;
    scgi_temp_path {prefix}/scgi;
{http}
}}
"""

# The upload is stored with PUT (RFC 9110 9.3.4) on the same tmpfs: the whole content provably went all the way, and
# it costs the same in every way.
_BACKEND = """
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location = /1k {{ default_type text/plain; return 200 "{kibibyte}"; }}
        location / {{ root {downloads}; }}
        location /upload/ {{
            alias {uploads}/;
            client_body_temp_path {uploads}/.incoming;
            client_body_buffer_size 1m;
            dav_methods PUT;
        }}
    }}
"""

# The upstreams keep 700 idle connections per worker: more than any row uses but the 200 WebSockets, and those are never idle.
_FRONT = """
    map $http_upgrade $connection_field {{ default upgrade; '' ''; }}
    upstream backend {{ server 127.0.0.1:{backend}; keepalive 700; keepalive_requests {forever}; }}
    upstream websocket {{ server 127.0.0.1:{websocket}; }}
    ssl_certificate {certificate};
    ssl_certificate_key {key};
    ssl_protocols TLSv1.2 TLSv1.3;
    proxy_http_version 1.1;
    proxy_request_buffering off;
    proxy_max_temp_file_size 0;
    proxy_buffer_size 64k;
    proxy_buffers 8 64k;
    proxy_busy_buffers_size 128k;
    client_body_buffer_size 256k;
    proxy_read_timeout 300s;
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Forwarded-Proto https;
    proxy_set_header X-Forwarded-Host $http_host;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $connection_field;
    server {{
        listen 127.0.0.1:{port} ssl http2 backlog=4096 reuseport;
        server_name {host};
        location / {{ proxy_pass http://backend; }}
    }}
    server {{
        listen 127.0.0.1:{port} ssl http2;
        server_name {websocket_host};
        location / {{ proxy_pass http://websocket; }}
    }}
"""


class Nginx(Process):
    def __init__(self, name, folder, http, **values):
        self.port = free_port()
        prefix = os.path.join(folder, name)
        os.mkdir(prefix)
        path = os.path.join(prefix, "nginx.conf")
        values |= {"port": self.port, "prefix": prefix, "forever": FOREVER}
        with open(path, "w", encoding="utf-8") as file:
            # Started by root, nginx would hand its workers to a user who may not read the bench's private folder.
            file.write(_COMMON.format(user="user root;" if os.geteuid() == 0 else "", workers=WORKERS,
                                      http=http.format(**values), **values))
        super().__init__(name, ["nginx", "-e", "stderr", "-p", prefix, "-c", path, "-g", "daemon off;"], prefix)
        self.wait_for_port(self.port)


def backend(folder, files):
    return Nginx("backend", folder, _BACKEND, kibibyte="x" * 1024, downloads=files.downloads, uploads=files.uploads)


def front(name, folder, certificate, hosts, backend_port, websocket_port):
    host, websocket_host = hosts
    return Nginx(name, folder, _FRONT, certificate=certificate.file, key=certificate.key, host=host,
                 websocket_host=websocket_host, backend=backend_port, websocket=websocket_port)
