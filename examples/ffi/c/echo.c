// An echo server and its client in memory: two endpoints, handshake, echo, close. The shape of a host in C; one with a
// device sends packets there, and waits for packets or the next deadline.
//
//   cargo build -p segue-ffi
//   cc -I examples/ffi/include examples/ffi/c/echo.c target/debug/libsegue_ffi.a -lpthread -ldl -lm -o target/echo
//   target/echo
//
// Exit code 0: every octet came back, and both sides closed. 1: a call failed, or what came back is wrong. 2: a wrong
// argument.
#include "segue.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PORT = 7, TEXT = 100000, QUEUE = 1024, FRAME = 1500 };

// Packets on their way. The host has room for each; the library's octets are valid in the callback only.
struct wire {
    size_t count;
    struct frame {
        segue_packet packet;
        uint8_t octets[FRAME];
    } frames[QUEUE];
};

static void check(segue_code code, const char *call) {
    if (code < 0) {
        fprintf(stderr, "echo: %s: %s\n", call, segue_strerror(code));
        exit(1);
    }
}

// The callback of segue_flush.
static void send_to(void *context, const segue_packet *packet) {
    struct wire *wire = context;
    if (wire->count == QUEUE || packet->len > FRAME) {
        return; // lost: the endpoint will repeat it
    }
    struct frame *frame = &wire->frames[wire->count++];
    memcpy(frame->octets, packet->octets, packet->len);
    frame->packet = *packet;
    frame->packet.octets = frame->octets;
}

static void receive_all(segue_endpoint *endpoint, struct wire *wire, uint64_t now) {
    for (size_t i = 0; i < wire->count; i++) {
        check(segue_receive(endpoint, &wire->frames[i].packet, now, NULL, NULL), "segue_receive");
    }
    wire->count = 0;
    check(segue_timers(endpoint, now), "segue_timers");
}

// Sends back what waits, as far as the peer takes it; closes after the end of the peer's stream.
static void echo(segue_endpoint *server, uint64_t id, uint64_t now) {
    uint8_t text[4096] = {0};
    size_t waits = 0, room = 0, count = 0, written = 0;
    for (;;) {
        if (segue_writable(server, id, &room) < 0) {
            return; // closed, here or by the peer's reset
        }
        check(segue_readable(server, id, &waits), "segue_readable");
        if (waits > 0 && room == 0) {
            // A write that takes less than it was given: SEGUE_SIGNAL_WRITABLE follows.
            check(segue_write(server, id, now, text, sizeof text, &written), "segue_write");
            return;
        }
        segue_code code = segue_read(server, id, now, text, room < sizeof text ? room : sizeof text, &count);
        check(code, "segue_read");
        if (code == SEGUE_CODE_END) {
            check(segue_close(server, id, now), "segue_close");
        }
        if (code != SEGUE_CODE_OK) {
            return;
        }
        check(segue_write(server, id, now, text, count, &written), "segue_write");
    }
}

static void serve(segue_endpoint *server, uint32_t listener, uint64_t now) {
    uint64_t id;
    segue_news news;
    segue_flow flow;
    while (segue_accept(server, listener, &id) == SEGUE_CODE_OK) {
        check(segue_ends(server, id, &flow), "segue_ends");
        printf("a connection from port %u\n", flow.remote_port);
    }
    while (segue_poll_signal(server, &news) == SEGUE_CODE_OK) {
        if (news.signal == SEGUE_SIGNAL_READABLE || news.signal == SEGUE_SIGNAL_WRITABLE ||
            news.signal == SEGUE_SIGNAL_PEER_CLOSED) {
            echo(server, news.id, now);
        } else if (news.signal == SEGUE_SIGNAL_CLOSED) {
            printf("server: %s\n", segue_reason_text(news.detail));
        }
    }
}

struct client {
    uint64_t id;
    uint8_t text[TEXT], echoed[TEXT];
    size_t sent, received;
    bool over;
};

static void write_more(segue_endpoint *endpoint, struct client *client, uint64_t now) {
    size_t written = 0;
    check(segue_write(endpoint, client->id, now, client->text + client->sent, TEXT - client->sent, &written),
          "segue_write");
    client->sent += written;
    if (client->sent == TEXT) {
        check(segue_close(endpoint, client->id, now), "segue_close"); // the FIN goes on the last text
    }
}

static void use(segue_endpoint *endpoint, struct client *client, uint64_t now) {
    segue_news news;
    while (segue_poll_signal(endpoint, &news) == SEGUE_CODE_OK) {
        size_t count = 0;
        switch (news.signal) {
        case SEGUE_SIGNAL_CONNECTED:
        case SEGUE_SIGNAL_WRITABLE:
            write_more(endpoint, client, now);
            break;
        case SEGUE_SIGNAL_READABLE:
            while (client->received < TEXT &&
                   segue_read(endpoint, client->id, now, client->echoed + client->received, TEXT - client->received,
                              &count) == SEGUE_CODE_OK) {
                client->received += count;
            }
            break;
        case SEGUE_SIGNAL_CLOSED:
            printf("client: %s\n", segue_reason_text(news.detail));
            client->over = news.detail == SEGUE_REASON_FINISHED;
            break;
        default:
            break;
        }
    }
}

static const char USAGE[] = "An echo server and its client in memory, over the C ABI of segue.\n\n"
                            "Usage: echo\n\n"
                            "Options:\n"
                            "  -h, --help  show this\n";

int main(int argc, char **argv) {
    if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        fputs(USAGE, stdout);
        return 0;
    }
    if (argc > 1) {
        fprintf(stderr, "echo: unexpected argument \"%s\"\n\n%s", argv[1], USAGE);
        return 2;
    }
    // A product asks the system for its keys, as with getrandom.
    static const uint8_t key_of_server[16] = "drawn at startup", key_of_client[16] = "drawn by another";
    static struct wire to_server, to_client;
    static struct client client;
    segue_endpoint *server = NULL, *other = NULL;
    segue_options options;
    segue_listen_terms terms;
    uint32_t listener;
    uint64_t now = 0;

    if (segue_abi() != SEGUE_ABI) {
        fprintf(stderr, "echo: the library has ABI %u, the header %u: build both anew\n", segue_abi(), SEGUE_ABI);
        return 1;
    }
    check(segue_options_default(&options), "segue_options_default");
    options.send_buffer = 20000; // less than the text: writes have to wait
    check(segue_endpoint_new(key_of_server, &options, &server), "segue_endpoint_new");
    check(segue_endpoint_new(key_of_client, &options, &other), "segue_endpoint_new");
    check(segue_listen_default(&terms, PORT), "segue_listen_default");
    check(segue_listen(server, &terms, &listener), "segue_listen");
    for (size_t i = 0; i < TEXT; i++) {
        client.text[i] = (uint8_t)(i * 31 + i / 256);
    }

    segue_flow flow = {.local = {4, {198, 51, 100, 7}}, .remote = {4, {192, 0, 2, 1}}, .remote_port = PORT};
    check(segue_connect(other, &flow, now, &client.id), "segue_connect");
    for (int turn = 0; turn < 10000 && !client.over; turn++) {
        now += 1000; // microseconds
        receive_all(other, &to_client, now);
        use(other, &client, now);
        check(segue_flush(other, now, send_to, &to_server), "segue_flush");
        receive_all(server, &to_server, now);
        serve(server, listener, now);
        check(segue_flush(server, now, send_to, &to_client), "segue_flush");
    }

    bool same = client.received == TEXT && memcmp(client.text, client.echoed, TEXT) == 0;
    printf("%zu of %d octets came back, %s, %s\n", client.received, TEXT, same ? "the same" : "not the same",
           client.over ? "both sides closed" : "not closed");
    check(segue_endpoint_free(server), "segue_endpoint_free");
    check(segue_endpoint_free(other), "segue_endpoint_free");
    return same && client.over ? 0 : 1;
}
