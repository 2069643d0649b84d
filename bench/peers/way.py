"""The three ways from a visitor to the backend. A way has a `port` on 127.0.0.1 that speaks TLS for the hosts of
certificate.py, and `pids`, the processes between visitor and backend (with all their children). `behind_nginx` is the
same way with nginx ending TLS in front of it: (a) and (b) are that themselves, (c) has one beside its own port."""
import contextlib

from . import nginx, openssh, sallyport
from .certificate import HOST, WEBSOCKET_HOST
from .process import free_port

HOSTS = (HOST, WEBSOCKET_HOST)


class Way:
    def __init__(self, port, pids, behind_nginx=None, tcp_port=None):
        self.port = port
        self.pids = pids
        self.behind_nginx = behind_nginx or self
        self.tcp_port = tcp_port  # ours: of a TCP route to the backend


@contextlib.contextmanager
def direct(setting):
    """(a) nginx ends TLS and asks the backend: no tunnel, the bound."""
    with nginx.front("direct", setting.folder, setting.certificate, HOSTS, *setting.targets) as front:
        yield Way(front.port, [front.pid])


@contextlib.contextmanager
def ssh(setting):
    """(b) nginx ends TLS and asks a port that `ssh -R` has opened."""
    with openssh.OpenSsh(setting.folder, setting.targets) as tunnel, \
            nginx.front("ssh-front", setting.folder, setting.certificate, HOSTS, *tunnel.ports) as front:
        yield Way(front.port, [front.pid, *tunnel.pids])


@contextlib.contextmanager
def ours(setting, resume_window="60s", name="relay"):
    """(c) the relay ends TLS and asks through the agent; one agent process for each backend. Beside it the same relay
    and agents behind nginx, which ends TLS and asks `plain_listen`."""
    with contextlib.ExitStack() as stack:
        plain_port = free_port()
        relay = stack.enter_context(sallyport.Relay(setting.binary, setting.folder, setting.certificate, name, resume_window=resume_window,
                                                    plain_listen=f"127.0.0.1:{plain_port}"))
        agents = []
        for agent, host, target in zip(("bench", "echo"), HOSTS, setting.targets, strict=True):
            enroll = relay.add_agent(agent, host, f"{agent}=http://127.0.0.1:{target}")
            agents.append(stack.enter_context(
                sallyport.Agent(setting.binary, setting.folder, f"{name}-{agent}", enroll, resume_window)))
        for agent in agents:
            agent.wait_until_connected()
        tcp_port = relay.add_tcp_route("bench", "bench")
        front = stack.enter_context(nginx.front(f"{name}-front", setting.folder, setting.certificate, HOSTS, plain_port, plain_port))
        pids = [relay.pid, *(agent.pid for agent in agents)]
        yield Way(relay.port, pids, Way(front.port, [front.pid, *pids]), tcp_port)


def not_resumable(setting):
    """(c) with sessions that end with their connection: nothing that was sent is kept."""
    return ours(setting, resume_window="0s", name="forgetful")


WAYS = {"direct": direct, "ssh": ssh, "sallyport": ours}
