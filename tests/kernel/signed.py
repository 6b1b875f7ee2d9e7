"""The kernel's end of a signed connection: sends and checks a stream of octets, as `octet` of examples/tcp-ao/world.rs has them.

signed.py connect|listen ADDRESS PORT md5|ao|none KEY SENDS READS
"""
import errno
import socket
import struct
import sys

TCP_MD5SIG, TCP_AO_ADD_KEY = 14, 38
UNSUPPORTED = 3

role, address, port, kind, key, sends, reads = sys.argv[1:]
port, sends, reads, key = int(port), int(sends), int(reads), key.encode()
family = socket.AF_INET6 if ":" in address else socket.AF_INET
peer = "2001:db8::2" if ":" in address else "192.0.2.2"


def storage():
    """sockaddr_storage of the peer, any port."""
    packed = socket.inet_pton(family, peer)
    if family == socket.AF_INET:
        return (struct.pack("=HH", family, 0) + packed).ljust(128, b"\0")
    return (struct.pack("=HHI", family, 0, 0) + packed).ljust(128, b"\0")


def sign(sock):
    if kind == "md5":  # struct tcp_md5sig
        value = storage() + struct.pack("=BBHi80s", 0, 0, len(key), 0, key)
        sock.setsockopt(socket.IPPROTO_TCP, TCP_MD5SIG, value)
    elif kind == "ao":  # struct tcp_ao_add: SendID 84, RecvID 61, 12 octets of MAC
        bits = 8 * len(socket.inet_pton(family, peer))
        value = storage() + struct.pack("=64siIHBBBBBB80s", b"hmac(sha1)", 0, 0, 0, bits, 84, 61, 12, 0, len(key), key)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, TCP_AO_ADD_KEY, value)
        except OSError as error:
            if error.errno == errno.ENOPROTOOPT:
                sys.exit(UNSUPPORTED)
            raise


def stream(start, octets):
    return bytes(((at * 167) >> 3) & 0xFF for at in range(start, start + octets))


sock = socket.socket(family)
sock.settimeout(3)
if role == "connect":
    sign(sock)
    sock.connect((address, port))
else:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sign(sock)
    sock.bind((address, port))
    sock.listen()
    print("listening", flush=True)
    sock, _ = sock.accept()
    sock.settimeout(10)
sock.sendall(stream(0, sends))
found = b""
while len(found) < reads:
    text = sock.recv(65536)
    assert text, "the stream ends after %d octets" % len(found)
    found += text
assert found == stream(0, reads), "other octets"
sock.shutdown(socket.SHUT_WR)
assert sock.recv(1) == b"", "more octets"
print("done", flush=True)
