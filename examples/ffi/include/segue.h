// The C ABI of segue's host layer: a TCP whose packets, times and memory are the host's.
// Generated from examples/ffi; `SEGUE_BLESS=1 cargo test -p segue-ffi header` writes it.
//
// Rules of every call:
//  * It returns a segue_code: 0, a positive one where there is nothing to give, a negative one for a mistake, after which
//    nothing has changed. Values go to pointers; NULL there: not wanted, unless the call says otherwise.
//  * Buffers and structures belong to the host; no call keeps a pointer. Pointers are aligned, and those of one call do
//    not overlap. Only segue_endpoint_new allocates for the host, only segue_endpoint_free frees.
//  * One thread at a time uses an endpoint.
//  * now: microseconds since an epoch of the host's choice, of one monotonic clock for all calls.
//  * Ids of connections are never 0, and never mean another connection later.
//
// A turn: segue_receive each packet that waits, segue_timers, then by segue_accept and segue_poll_signal read, write and
// close, then segue_flush; then wait for a packet, or until segue_next_deadline.

#ifndef SEGUE_H
#define SEGUE_H

#include <stddef.h>
#include <stdint.h>

// The version of this ABI: it changes with every change of a structure, a number or a function.
#define SEGUE_ABI 2

// What a call returns: 0, a positive code where there is nothing to give, a negative one for a mistake. After a mistake
// nothing has changed. segue_strerror has the words.
enum segue_code
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  // Done.
  SEGUE_CODE_OK = 0,
  // Nothing waits: no signal, no connection, no text, no deadline.
  SEGUE_CODE_NONE = 1,
  // The peer's stream has ended, and all of it was read.
  SEGUE_CODE_END = 2,
  // A pointer that has to point to something is NULL.
  SEGUE_CODE_NULL = -1,
  // A value is out of its range: an address, a length, an option, a listener.
  SEGUE_CODE_INVALID = -2,
  // The id is void: the connection is over, or never was, or is not the user's yet.
  SEGUE_CODE_GONE = -3,
  // The connection is over; what it delivered can still be read.
  SEGUE_CODE_NOT_CONNECTED = -4,
  // Closed already: nothing can be written any more.
  SEGUE_CODE_CLOSING = -5,
  // No connection is possible between these ends.
  SEGUE_CODE_UNUSABLE = -6,
  // There is a connection between these ends, or a listener.
  SEGUE_CODE_IN_USE = -7,
  // No local port is left for this peer.
  SEGUE_CODE_NO_PORT = -8,
  // Too many connections, or no memory left in the budget.
  SEGUE_CODE_FULL = -9,
  // The octets are no TCP segment.
  SEGUE_CODE_MALFORMED = -10,
  // The checksum is wrong.
  SEGUE_CODE_CHECKSUM = -11,
  // A call from within segue_flush on the endpoint that flushes.
  SEGUE_CODE_BUSY = -12,
  // A defect of the library: the endpoint can only be freed.
  SEGUE_CODE_PANIC = -13,
  // The connection cannot do this now.
  SEGUE_CODE_FAILED = -14,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum segue_code segue_code;
#else
typedef int32_t segue_code;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What became of a packet.
enum segue_received
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  // It went to the connection with the id, or to a SYN that a gate holds.
  SEGUE_RECEIVED_CONNECTION = 0,
  // It opened the connection with the id.
  SEGUE_RECEIVED_OPENED = 1,
  // A SYN for a gate: segue_incoming tells of it.
  SEGUE_RECEIVED_HELD = 2,
  // It went to a connection in TIME-WAIT.
  SEGUE_RECEIVED_TIME_WAIT = 3,
  // A SYN, answered with a cookie.
  SEGUE_RECEIVED_COOKIE = 4,
  // A SYN for which there is no room.
  SEGUE_RECEIVED_FULL = 5,
  // No connection and no listener: answered with a reset unless it is one.
  SEGUE_RECEIVED_STRAY = 6,
  // Not between two ends that can have a connection: dropped.
  SEGUE_RECEIVED_UNUSABLE = 7,
  // Something that this header does not know.
  SEGUE_RECEIVED_OTHER = 8,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum segue_received segue_received;
#else
typedef int32_t segue_received;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What happened to a connection.
enum segue_signal
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  // An active open succeeded.
  SEGUE_SIGNAL_CONNECTED = 1,
  // Text arrived where none waited.
  SEGUE_SIGNAL_READABLE = 2,
  // A write took less than it was given, and there is room again.
  SEGUE_SIGNAL_WRITABLE = 3,
  // The peer acknowledged all that was written, once for each segue_notify_flushed.
  SEGUE_SIGNAL_FLUSHED = 4,
  // The peer sent its FIN: no more text will come after what waits.
  SEGUE_SIGNAL_PEER_CLOSED = 5,
  // Something that the user may want to know: the detail is a segue_report.
  SEGUE_SIGNAL_REPORT = 6,
  // The connection is over: the detail is a segue_reason. Where text waits, the id stays valid until that is read or
  // the connection released; otherwise it is void.
  SEGUE_SIGNAL_CLOSED = 7,
  // A signal that this header does not know.
  SEGUE_SIGNAL_OTHER = 8,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum segue_signal segue_signal;
#else
typedef int32_t segue_signal;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// A congestion controller.
enum segue_congestion
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  // CUBIC (RFC 9438): the usual one.
  SEGUE_CONGESTION_CUBIC = 0,
  // NewReno (RFC 5681).
  SEGUE_CONGESTION_RENO = 1,
  // BBRv3 (draft-ietf-ccwg-bbr): it paces, so segue_next_deadline comes in fractions of a millisecond.
  SEGUE_CONGESTION_BBR = 2,
  // A scalable one for L4S (RFC 9331); it paces, too.
  SEGUE_CONGESTION_PRAGUE = 3,
  // One that this header does not know.
  SEGUE_CONGESTION_OTHER = 4,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum segue_congestion segue_congestion;
#else
typedef int32_t segue_congestion;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What happens to a SYN when the SYN queue is full.
enum segue_full
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  // It is answered with a SYN cookie.
  SEGUE_FULL_COOKIES = 0,
  // The connection that is half-open for longest makes room.
  SEGUE_FULL_EVICT_OLDEST = 1,
  // It is dropped.
  SEGUE_FULL_DROP = 2,
  // It is refused with a reset.
  SEGUE_FULL_RESET = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum segue_full segue_full;
#else
typedef int32_t segue_full;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What an ICMP error says.
enum segue_icmp_kind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  // Network or host unreachable, source route failed, no route, beyond scope.
  SEGUE_ICMP_KIND_UNREACHABLE = 1,
  // Time or hop limit exceeded.
  SEGUE_ICMP_KIND_TIME_EXCEEDED = 2,
  // Parameter problem.
  SEGUE_ICMP_KIND_PARAMETER_PROBLEM = 3,
  // The peer does not speak TCP.
  SEGUE_ICMP_KIND_PROTOCOL_UNREACHABLE = 4,
  // Nobody listens there, or a policy forbids it.
  SEGUE_ICMP_KIND_PORT_UNREACHABLE = 5,
  // Fragmentation needed, or packet too big.
  SEGUE_ICMP_KIND_PACKET_TOO_BIG = 6,
  // Source Quench.
  SEGUE_ICMP_KIND_SOURCE_QUENCH = 7,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum segue_icmp_kind segue_icmp_kind;
#else
typedef int32_t segue_icmp_kind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// Why a connection ended: the detail of SEGUE_SIGNAL_CLOSED. segue_reason_text has the words.
enum segue_reason
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  // Both sides closed, and every octet was acknowledged.
  SEGUE_REASON_FINISHED = 0,
  // Closed before it was established.
  SEGUE_REASON_CANCELLED = 1,
  // The peer answered the SYN with a reset.
  SEGUE_REASON_REFUSED = 2,
  // The peer reset the connection.
  SEGUE_REASON_RESET = 3,
  // Aborted by its user.
  SEGUE_REASON_ABORTED = 4,
  // The user was gone, and text was unread.
  SEGUE_REASON_UNREAD = 5,
  // No answer to the SYN.
  SEGUE_REASON_CONNECT_TIMEOUT = 6,
  // The peer did not acknowledge in time.
  SEGUE_REASON_USER_TIMEOUT = 7,
  // No answer to keep-alives.
  SEGUE_REASON_KEEP_ALIVE_TIMEOUT = 8,
  // The user was gone, and the peer did not close in time.
  SEGUE_REASON_FIN_WAIT2_TIMEOUT = 9,
  // A hard ICMP error while it was opened.
  SEGUE_REASON_UNREACHABLE = 10,
  // The segment opened no connection.
  SEGUE_REASON_NOT_SYN = 11,
  // A reason that this header does not know.
  SEGUE_REASON_OTHER = 12,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum segue_reason segue_reason;
#else
typedef int32_t segue_reason;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// News of a connection while it goes on: the detail of SEGUE_SIGNAL_REPORT.
enum segue_report
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  // The peer did not answer; the value is the number of retransmissions.
  SEGUE_REPORT_UNRESPONSIVE = 1,
  // An ICMP error that does not end the connection; the value is a segue_icmp_kind.
  SEGUE_REPORT_ICMP = 2,
  // The path MTU is the value, in octets.
  SEGUE_REPORT_PATH_MTU = 3,
  // The peer suggests a user timeout; the value is its microseconds.
  SEGUE_REPORT_USER_TIMEOUT = 4,
  // A report that this header does not know.
  SEGUE_REPORT_OTHER = 5,
  // The handshake of a connection that was accepted by Fast Open is complete: no forged address began it.
  SEGUE_REPORT_FAST_OPEN_CONFIRMED = 6,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum segue_report segue_report;
#else
typedef int32_t segue_report;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// All connections of a host. Only pointers to it leave the library.
typedef struct segue_endpoint segue_endpoint;

// The limits and choices of an endpoint; segue_options_default has the usual ones.
typedef struct segue_options {
  // The most connections, those in TIME-WAIT not counted.
  size_t connections;
  // The most connections in TIME-WAIT.
  size_t time_wait;
  // The most octets for all connections together; SIZE_MAX: no limit.
  size_t memory;
  // The most resets, challenge ACKs and SYN,ACKs that wait for a flush.
  size_t answers;
  // Octets that the receive buffer of a connection may grow to, 1 or more.
  uint32_t receive_buffer;
  // Octets that the send buffer of a connection holds, 1 or more.
  uint32_t send_buffer;
  // The MTU in octets, IP header included.
  uint16_t mtu;
  // The first local port of active opens, 1 or more.
  uint16_t first_port;
  // The last local port of active opens.
  uint16_t last_port;
  // Whether Nagle's algorithm holds back small segments; 0: it does not.
  uint8_t nagle;
  // Whether idle connections send keep-alives; 0: they do not.
  uint8_t keep_alive;
  // The congestion controller: a value of segue_congestion.
  int32_t congestion;
} segue_options;

// An IP address.
typedef struct segue_address {
  // 4 or 6.
  uint8_t version;
  // The address as it stands in the IP header; of IPv4 the first four octets.
  uint8_t octets[16];
} segue_address;

// What to listen to; segue_listen_default has the usual limits for a port on all addresses.
typedef struct segue_listen_terms {
  // The most connections whose handshake is not complete.
  size_t half_open;
  // The most connections that wait for segue_accept.
  size_t ready;
  // The most connections that deliver the text of their SYN before the handshake is complete (TCP Fast Open, RFC 7413);
  // 0: off. Such text may come twice. SEGUE_REPORT_FAST_OPEN_CONFIRMED tells that the handshake is complete.
  size_t fast_open;
  // Not 0: a SYN waits this long at most for segue_admit or segue_refuse, in microseconds.
  uint64_t gate;
  // What happens to a SYN when half_open are half-open: a value of segue_full.
  int32_t full;
  // The address; version 0: all.
  struct segue_address address;
  // The port; 0: all.
  uint16_t port;
} segue_listen_terms;

// The two ends of a connection, seen from us.
typedef struct segue_flow {
  // Our address.
  struct segue_address local;
  // The address of the peer.
  struct segue_address remote;
  // Our port.
  uint16_t local_port;
  // The port of the peer.
  uint16_t remote_port;
} segue_flow;

// A packet that arrived, or that is to be sent.
typedef struct segue_packet {
  // The source address.
  struct segue_address src;
  // The destination address.
  struct segue_address dst;
  // The payload of the IP packet: the TCP header with its checksum, and the text.
  const uint8_t *octets;
  // The number of these octets.
  size_t len;
  // The ECN codepoint in the IP header: its two low bits count.
  uint8_t ecn;
} segue_packet;

// Takes a packet of segue_flush. The packet and its octets are valid until it returns.
typedef void (*segue_send)(void *context, const struct segue_packet *packet);

// A signal and whose it is.
typedef struct segue_news {
  // The connection.
  uint64_t id;
  // The number of a report, else 0.
  uint64_t value;
  // What happened.
  segue_signal signal;
  // Of SEGUE_SIGNAL_CLOSED the segue_reason, of SEGUE_SIGNAL_REPORT the segue_report, else 0.
  int32_t detail;
} segue_news;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// The words for a code, as a static string; never NULL.
const char *segue_strerror(int32_t code);

// The words for a reason, as a static string; never NULL.
const char *segue_reason_text(int32_t reason);

// The version of the ABI of the library. A host that loads it compares this with SEGUE_ABI.
uint32_t segue_abi(void);

// Writes the usual options.
//
// # Safety
// options is NULL or has room for them.
segue_code segue_options_default(struct segue_options *options);

// Writes the usual limits of a listener on this port of all addresses; 0: on all ports.
//
// # Safety
// listen is NULL or has room for them.
segue_code segue_listen_default(struct segue_listen_terms *listen, uint16_t port);

// Makes an endpoint. key: 16 octets from the entropy of the system, drawn when the host starts. options: NULL for the
// usual ones.
//
// # Safety
// key is NULL or points to 16 octets; options is NULL or points to options; endpoint is NULL or has room for a pointer.
segue_code segue_endpoint_new(const uint8_t *key,
                              const struct segue_options *options,
                              struct segue_endpoint **endpoint);

// Frees an endpoint with its connections; their peers hear nothing. NULL is permitted.
//
// # Safety
// endpoint is NULL, or from segue_endpoint_new and not freed; no other thread uses it.
segue_code segue_endpoint_free(struct segue_endpoint *endpoint);

// Listens; the listener is a number, never 0.
//
// # Safety
// endpoint as for segue_timers; listen is NULL or points to the terms; listener is NULL or has room for a number.
segue_code segue_listen(struct segue_endpoint *endpoint, const struct segue_listen_terms *listen, uint32_t *listener);

// Stops listening. Connections that nobody accepted are reset; accepted ones go on.
//
// # Safety
// endpoint as for segue_timers.
segue_code segue_unlisten(struct segue_endpoint *endpoint, uint32_t listener, uint64_t now);

// Gives the connection that has been ready for longest to its user, or SEGUE_CODE_NONE. Its signals come from now on.
//
// # Safety
// endpoint as for segue_timers; id has room for an id, or is NULL: then nothing is accepted.
segue_code segue_accept(struct segue_endpoint *endpoint, uint32_t listener, uint64_t *id);

// The next SYN at a gate that nobody was told of, or SEGUE_CODE_NONE. Answer with segue_admit, segue_refuse or segue_ignore.
//
// # Safety
// endpoint as for segue_timers; id has room for an id, or is NULL: then nobody is told; flow is NULL or has room for a
// flow.
segue_code segue_incoming(struct segue_endpoint *endpoint,
                          uint64_t *id,
                          struct segue_flow *flow);

// The gate opens: the SYN is answered, and the connection comes by segue_accept when the handshake is complete.
//
// # Safety
// endpoint as for segue_timers.
segue_code segue_admit(struct segue_endpoint *endpoint, uint64_t id, uint64_t now);

// The gate stays shut: a reset refuses the SYN.
//
// # Safety
// endpoint as for segue_timers.
segue_code segue_refuse(struct segue_endpoint *endpoint, uint64_t id);

// The SYN at the gate is forgotten without an answer; the peer may repeat it.
//
// # Safety
// endpoint as for segue_timers.
segue_code segue_ignore(struct segue_endpoint *endpoint, uint64_t id);

// Opens a connection. local_port 0: the endpoint chooses it (RFC 6056). SEGUE_SIGNAL_CONNECTED or SEGUE_SIGNAL_CLOSED
// follows.
//
// # Safety
// endpoint as for segue_timers; flow is NULL or points to a flow; id has room for an id, or is NULL: then nothing is
// opened.
segue_code segue_connect(struct segue_endpoint *endpoint, const struct segue_flow *flow, uint64_t now, uint64_t *id);

// The same with TCP Fast Open (RFC 7413), from a port that the endpoint chooses (local_port is 0), and the text that
// segue_write would write: where the server gave a cookie before, the first of it goes with the SYN. The server may get
// that text twice: only for requests that may be repeated. written: the octets that fit, as of segue_write.
//
// # Safety
// endpoint as for segue_timers; flow is NULL or points to a flow; from is NULL or points to len octets; written and id
// have room for their values, or are NULL: then nothing is opened.
segue_code segue_connect_fast_open(struct segue_endpoint *endpoint,
                                   const struct segue_flow *flow,
                                   uint64_t now,
                                   const uint8_t *from,
                                   size_t len,
                                   size_t *written,
                                   uint64_t *id);

// A packet arrived; the checksum is verified here. what: its fate, a value of segue_received. id: the connection, 0 where
// there is none.
//
// # Safety
// endpoint as for segue_timers; packet is NULL or points to a packet, whose octets it counts; what and id are NULL or
// have room for their values.
segue_code segue_receive(struct segue_endpoint *endpoint,
                         const struct segue_packet *packet,
                         uint64_t now,
                         segue_received *what,
                         uint64_t *id);

// An ICMP error arrived that quotes a segment that we sent: flow is that of the quoted packet, seen from us; kind a
// value of segue_icmp_kind; mtu the next-hop MTU of "packet too big", 0 when there is none; quoted_seq the sequence
// number in the quoted header. The connection judges it (RFC 5927).
//
// # Safety
// endpoint as for segue_timers; flow is NULL or points to a flow.
segue_code segue_icmp(struct segue_endpoint *endpoint,
                      const struct segue_flow *flow,
                      int32_t kind,
                      uint16_t mtu,
                      uint32_t quoted_seq,
                      uint64_t now);

// Runs the timers that are due.
//
// # Safety
// endpoint is NULL, or from segue_endpoint_new and not freed; no other thread uses it during the call.
segue_code segue_timers(struct segue_endpoint *endpoint, uint64_t now);

// When the next turn has to begin although nothing arrives; 0: at once. SEGUE_CODE_NONE: only when something arrives.
//
// # Safety
// endpoint as for segue_timers; at is NULL or has room for a time.
segue_code segue_next_deadline(struct segue_endpoint *endpoint, uint64_t *at);

// SEGUE_CODE_OK when segue_flush has something to do, else SEGUE_CODE_NONE.
//
// # Safety
// endpoint as for segue_timers.
segue_code segue_wants_flush(struct segue_endpoint *endpoint);

// Hands all packets that this turn has to send to the callback, one by one, with the context. A packet that the callback
// drops counts as lost in the network.
//
// # Safety
// endpoint as for segue_timers; send is NULL or a function that bears the context, and that returns: without an
// exception, and without longjmp.
segue_code segue_flush(struct segue_endpoint *endpoint,
                       uint64_t now,
                       segue_send send,
                       void *context);

// The next signal, or SEGUE_CODE_NONE.
//
// # Safety
// endpoint as for segue_timers; news has room for it, or is NULL: then none is taken.
segue_code segue_poll_signal(struct segue_endpoint *endpoint, struct segue_news *news);

// Reads up to room octets. read: their number. SEGUE_CODE_NONE: no text waits; SEGUE_CODE_END: no more will come.
//
// # Safety
// endpoint as for segue_timers; to is NULL or has space for room octets; read has space for a
// number, or is NULL: then nothing is read.
segue_code segue_read(struct segue_endpoint *endpoint,
                      uint64_t id,
                      uint64_t now,
                      uint8_t *to,
                      size_t room,
                      size_t *read);

// Octets that wait to be read.
//
// # Safety
// endpoint as for segue_timers; waits is NULL or has room for a number.
segue_code segue_readable(struct segue_endpoint *endpoint, uint64_t id, size_t *waits);

// Writes the octets that fit. written: their number; when it is less than len, SEGUE_SIGNAL_WRITABLE follows.
//
// # Safety
// endpoint as for segue_timers; from is NULL or points to len octets; written has room for a number, or is NULL: then
// nothing is written.
segue_code segue_write(struct segue_endpoint *endpoint,
                       uint64_t id,
                       uint64_t now,
                       const uint8_t *from,
                       size_t len,
                       size_t *written);

// Octets that a write would take now.
//
// # Safety
// endpoint as for segue_timers; room is NULL or has room for a number.
segue_code segue_writable(struct segue_endpoint *endpoint, uint64_t id, size_t *room);

// No more text will be written: the FIN leaves on the last of it. Reading goes on.
//
// # Safety
// endpoint as for segue_timers.
segue_code segue_close(struct segue_endpoint *endpoint, uint64_t id, uint64_t now);

// The user is gone: what was written is sent, with the FIN; if text is unread, a reset. The id is void.
//
// # Safety
// endpoint as for segue_timers.
segue_code segue_release(struct segue_endpoint *endpoint, uint64_t id, uint64_t now);

// Ends the connection at once, with a reset. The id is void.
//
// # Safety
// endpoint as for segue_timers.
segue_code segue_abort(struct segue_endpoint *endpoint, uint64_t id, uint64_t now);

// SEGUE_SIGNAL_FLUSHED comes once, when the peer has acknowledged all that is written so far.
//
// # Safety
// endpoint as for segue_timers.
segue_code segue_notify_flushed(struct segue_endpoint *endpoint, uint64_t id, uint64_t now);

// Another congestion controller takes over, a value of segue_congestion. before: the number of the one before.
// SEGUE_CODE_NOT_CONNECTED: the connection is over.
//
// # Safety
// endpoint as for segue_timers; before is NULL or has room for a number.
segue_code segue_set_congestion(struct segue_endpoint *endpoint,
                                uint64_t id,
                                uint64_t now,
                                int32_t congestion,
                                int32_t *before);

// The addresses and ports of a connection.
//
// # Safety
// endpoint as for segue_timers; flow is NULL or has room for a flow.
segue_code segue_ends(struct segue_endpoint *endpoint, uint64_t id, struct segue_flow *flow);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* SEGUE_H */
