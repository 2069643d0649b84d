"""Home Assistant's rules for X-Forwarded-For, -Proto and -Host. Pure: addresses and fields in, the visitor as it is taken for out."""
import ipaddress
from dataclasses import dataclass


class Refused(Exception):
    """Answered with 400; the text is what Home Assistant logs."""


@dataclass(frozen=True)
class SeenAs:
    """None: as the connection itself says."""
    remote: str | None = None
    scheme: str | None = None
    host: str | None = None


def _items(values):
    return [item.strip() for value in values for item in value.split(",")]


def see(peer, forwarded_for, forwarded_proto, forwarded_host, use_x_forwarded_for, trusted_proxies):
    """Each forwarded_* is the list of that field's values, in order of arrival."""
    if not forwarded_for:
        return SeenAs()  # the other two are ignored then
    trusted = [ipaddress.ip_network(network) for network in trusted_proxies]

    def is_trusted(address):
        return any(address in network for network in trusted)

    if not use_x_forwarded_for:
        raise Refused(f"A request from a reverse proxy was received from {peer}, "
                      "but your HTTP integration is not set-up for reverse proxies")
    if not is_trusted(ipaddress.ip_address(peer)):
        raise Refused(f"Received X-Forwarded-For header from an untrusted proxy {peer}")
    try:
        chain = [ipaddress.ip_address(item) for item in _items(forwarded_for)]
    except ValueError:
        raise Refused(f"Invalid IP address in X-Forwarded-For: {forwarded_for[0]}") from None

    strangers = [index for index, address in enumerate(chain) if not is_trusted(address)]
    chosen = strangers[-1] if strangers else 0
    return SeenAs(str(chain[chosen]), _scheme(forwarded_proto, len(chain), chosen), _host(forwarded_host))


def _scheme(forwarded_proto, chain_length, chosen):
    if not forwarded_proto:
        return None
    schemes = _items(forwarded_proto)
    if "" in schemes:
        raise Refused(f"Empty item received in X-Forward-Proto header: {forwarded_proto[0]}")
    if len(schemes) not in (1, chain_length):
        raise Refused(f"Incorrect number of elements in X-Forward-Proto. Expected 1 or {chain_length}, got {len(schemes)}")
    return schemes[0] if len(schemes) == 1 else schemes[chosen]


def _host(forwarded_host):
    if not forwarded_host:
        return None
    host = _items(forwarded_host)[-1]
    if not host:
        raise Refused("Empty value received in X-Forward-Host header")
    return host
