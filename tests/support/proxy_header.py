"""Headers of the PROXY protocol, as a proxy in front of the relay writes them, and as a target behind it reads them."""
import socket
import struct

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
V2_SIZE = 28  # with IPv4 addresses and nothing behind them


def v1_header(source="192.0.2.9", destination="198.51.100.1"):
    return f"PROXY TCP4 {source} {destination} 4711 443\r\n".encode()


def v2_header(source="192.0.2.9", command=0x21, destination="198.51.100.1"):
    addresses = socket.inet_aton(source) + socket.inet_aton(destination) + struct.pack("!HH", 4711, 443)
    return SIGNATURE + bytes([command, 0x11]) + struct.pack("!H", len(addresses)) + addresses


def read_v2(octets):
    """((source, port), (destination, port)) of a header with IPv4 addresses."""
    assert octets[:16] == SIGNATURE + b"\x21\x11\0\x0c", octets
    source, destination, source_port, destination_port = struct.unpack("!4s4sHH", octets[16:V2_SIZE])
    return (socket.inet_ntoa(source), source_port), (socket.inet_ntoa(destination), destination_port)
