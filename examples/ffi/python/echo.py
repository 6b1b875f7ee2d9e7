"""An echo between two endpoints in memory by ctypes: handshake, echo, close. A smoke test, and the shape of a binding.

    cargo build -p segue-ffi
    python3 examples/ffi/python/echo.py target/debug/libsegue_ffi.so

Exit code 0: every octet came back, and both sides closed; 2: the library is missing.
"""

import sys
from ctypes import (CDLL, CFUNCTYPE, POINTER, Structure, addressof, byref, c_char_p, c_int32, c_size_t, c_uint8, c_uint16,
                    c_uint32, c_uint64, c_void_p, create_string_buffer, string_at)

ABI = 2
OK = 0
CONNECTED, READABLE, PEER_CLOSED, CLOSED = 1, 2, 5, 7
FINISHED = 0


class Address(Structure):
    _fields_ = [("version", c_uint8), ("octets", c_uint8 * 16)]

    @classmethod
    def v4(cls, text):
        return cls(4, (c_uint8 * 16)(*map(int, text.split("."))))


class Flow(Structure):
    _fields_ = [("local", Address), ("remote", Address), ("local_port", c_uint16), ("remote_port", c_uint16)]


class Packet(Structure):
    _fields_ = [("src", Address), ("dst", Address), ("octets", c_void_p), ("len", c_size_t), ("ecn", c_uint8)]


class Listen(Structure):
    _fields_ = [("half_open", c_size_t), ("ready", c_size_t), ("fast_open", c_size_t), ("gate", c_uint64),
                ("full", c_int32), ("address", Address), ("port", c_uint16)]


class News(Structure):
    _fields_ = [("id", c_uint64), ("value", c_uint64), ("signal", c_int32), ("detail", c_int32)]


Send = CFUNCTYPE(None, c_void_p, POINTER(Packet))

# What each call takes; all but the words and the version return a code.
CALLS = {
    "segue_endpoint_new": [c_char_p, c_void_p, POINTER(c_void_p)],
    "segue_endpoint_free": [c_void_p],
    "segue_listen_default": [POINTER(Listen), c_uint16],
    "segue_listen": [c_void_p, POINTER(Listen), POINTER(c_uint32)],
    "segue_accept": [c_void_p, c_uint32, POINTER(c_uint64)],
    "segue_connect": [c_void_p, POINTER(Flow), c_uint64, POINTER(c_uint64)],
    "segue_receive": [c_void_p, POINTER(Packet), c_uint64, POINTER(c_int32), POINTER(c_uint64)],
    "segue_timers": [c_void_p, c_uint64],
    "segue_flush": [c_void_p, c_uint64, Send, c_void_p],
    "segue_poll_signal": [c_void_p, POINTER(News)],
    "segue_read": [c_void_p, c_uint64, c_uint64, c_char_p, c_size_t, POINTER(c_size_t)],
    "segue_write": [c_void_p, c_uint64, c_uint64, c_char_p, c_size_t, POINTER(c_size_t)],
    "segue_close": [c_void_p, c_uint64, c_uint64],
}


class Failed(Exception):
    pass


def load(path):
    library = CDLL(path)
    library.segue_abi.restype = c_uint32
    if library.segue_abi() != ABI:
        raise Failed(f"{path} has ABI {library.segue_abi()}, this program {ABI}")
    for words in (library.segue_strerror, library.segue_reason_text):
        words.argtypes, words.restype = [c_int32], c_char_p
    for name, takes in CALLS.items():
        call = getattr(library, name)
        call.argtypes, call.restype = takes, c_int32
    return library


class Endpoint:
    """An endpoint; its packets are kept as bytes until the peer takes them."""

    def __init__(self, library, key):
        self.abi, self.sent, self.pointer = library, [], c_void_p()
        # The callback lives as long as the endpoint.
        self.send = Send(lambda _, packet: self.sent.append(self.copy(packet.contents)))
        self.call("endpoint_new", key, None, byref(self.pointer), own=False)

    @staticmethod
    def copy(packet):
        return (bytes(packet.src), bytes(packet.dst), string_at(packet.octets, packet.len), packet.ecn)

    def call(self, name, *arguments, own=True):
        code = getattr(self.abi, "segue_" + name)(*([self.pointer] if own else []), *arguments)
        if code < 0:
            raise Failed(f"segue_{name}: {self.abi.segue_strerror(code).decode()}")
        return code

    def listen(self, port):
        terms, listener = Listen(), c_uint32()
        self.call("listen_default", byref(terms), port, own=False)
        self.call("listen", byref(terms), byref(listener))
        return listener.value

    def connect(self, local, remote, port, now):
        flow, connection = Flow(Address.v4(local), Address.v4(remote), 0, port), c_uint64()
        self.call("connect", byref(flow), now, byref(connection))
        return connection.value

    def accept(self, listener):
        connection = c_uint64()
        return connection.value if self.call("accept", listener, byref(connection)) == OK else None

    def receive(self, packets, now):
        for src, dst, octets, ecn in packets:
            kept = create_string_buffer(octets, len(octets))
            address = Address.from_buffer_copy
            packet = Packet(address(src), address(dst), addressof(kept), len(octets), ecn)
            self.call("receive", byref(packet), now, None, None)
        self.call("timers", now)

    def signals(self):
        news = News()
        while self.call("poll_signal", byref(news)) == OK:
            yield news.id, news.signal, news.detail

    def read(self, connection, now):
        text, buffer, count = b"", create_string_buffer(4096), c_size_t()
        while self.call("read", connection, now, buffer, len(buffer), byref(count)) == OK:
            text += buffer.raw[:count.value]
        return text

    def write(self, connection, text, now):
        count = c_size_t()
        self.call("write", connection, now, text, len(text), byref(count))
        return count.value

    def flush(self, now):
        self.call("flush", now, self.send, None)
        packets, self.sent = self.sent, []
        return packets

    def free(self):
        self.call("endpoint_free")
        self.pointer = c_void_p()


def refuses_mistakes(library, endpoint):
    """NULL and void ids give codes, and every code has words."""
    count = c_size_t()
    codes = [
        library.segue_timers(None, 0),
        library.segue_close(endpoint.pointer, 0, 0),
        library.segue_close(endpoint.pointer, 2**64 - 1, 0),
        library.segue_accept(endpoint.pointer, 99, byref(c_uint64())),
        library.segue_write(endpoint.pointer, 7, 0, None, 1, byref(count)),
    ]
    words = [library.segue_strerror(code).decode() for code in codes]
    if any(code >= 0 for code in codes):
        raise Failed(f"a mistake was taken: {codes} {words}")


def main(path):
    library = load(path)
    server, client = Endpoint(library, b"drawn at startup"), Endpoint(library, b"drawn by another")
    refuses_mistakes(library, server)
    listener, now = server.listen(7), 0
    connection = client.connect("198.51.100.7", "192.0.2.1", 7, now)
    text, echoed, reason, to_client = bytes(range(256)) * 64, b"", None, []
    for _ in range(1000):
        now += 1000  # microseconds
        client.receive(to_client, now)
        for _, signal, detail in client.signals():
            if signal == CONNECTED:
                if client.write(connection, text, now) != len(text):
                    raise Failed("the send buffer holds less than the text")
                client.call("close", connection, now)
            elif signal == READABLE:
                echoed += client.read(connection, now)
            elif signal == CLOSED:
                reason = detail
        server.receive(client.flush(now), now)
        while server.accept(listener) is not None:
            print("a connection")
        for peer, signal, _ in server.signals():
            if signal == READABLE:
                server.write(peer, server.read(peer, now), now)
            elif signal == PEER_CLOSED:
                server.call("close", peer, now)
        to_client = server.flush(now)
        if reason is not None:
            break
    words = "nothing" if reason is None else library.segue_reason_text(reason).decode()
    print(f"{len(echoed)} of {len(text)} octets came back; {words}")
    server.free()
    client.free()
    return 0 if echoed == text and reason == FINISHED else 1


if __name__ == "__main__":
    if sys.argv[1:] in (["--help"], ["-h"]):
        print(__doc__)
        sys.exit(0)
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    try:
        sys.exit(main(sys.argv[1]))
    except Failed as error:
        print(f"echo.py: {error}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        print(f"echo.py: {error}: build it with `cargo build -p segue-ffi`", file=sys.stderr)
        sys.exit(2)
