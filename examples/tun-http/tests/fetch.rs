//! The client in memory, in virtual time: a server that says what a test wants.

use std::time::Duration;

use segue::Instant;
use segue::host::{Endpoint, EndpointConfig, Id, Keys, Listen};
use segue::ip::Format;
use segue_tun_http::fetch::{Fetch, Url};
use segue_tun_http::http::{Server, octet};

const PATIENCE: Duration = Duration::from_secs(60);

fn end(key: &[u8; 16]) -> Endpoint {
    Endpoint::new(Keys::new(*key), EndpointConfig::default())
}

/// What the client wrote, and how it ended, when the other side does this in its turns. The packets cross as datagrams.
fn fetch(url: &str, server: &mut Endpoint, serve: impl FnMut(&mut Endpoint, Instant)) -> (Vec<u8>, Result<(), String>) {
    fetch_by(&mut end(b"drawn by another"), &mut Instant::from_millis(1), false, url, server, serve)
}

/// The same by this client, from `now` on.
fn fetch_by(
    client: &mut Endpoint,
    now: &mut Instant,
    fast_open: bool,
    url: &str,
    server: &mut Endpoint,
    mut serve: impl FnMut(&mut Endpoint, Instant),
) -> (Vec<u8>, Result<(), String>) {
    let (mut body, limit) = (Vec::new(), *now + Duration::from_secs(1000));
    let url: Url = url.parse().expect("a URL");
    let from = if url.to.is_ipv4() { "192.0.2.2" } else { "2001:db8::2" }.parse().expect("an address");
    let mut fetch = Fetch::new(client, from, &url, PATIENCE, &mut body, fast_open, *now).expect("unicast");
    let outcome = loop {
        fetch.turn(client, *now);
        client.flush_ip(*now, Format::default(), |datagram| {
            server.receive_ip(datagram.to_vec().into(), Format::default(), *now).expect("TCP");
        });
        if let Some(outcome) = fetch.outcome() {
            break outcome.clone();
        }
        server.timers(*now);
        serve(server, *now);
        let mut quiet = true;
        server.flush_ip(*now, Format::default(), |datagram| {
            quiet = false;
            client.receive_ip(datagram.to_vec().into(), Format::default(), *now).expect("TCP");
        });
        *now += Duration::from_millis(1);
        if quiet && !client.wants_flush() {
            let next =
                [client.next_deadline(), server.next_deadline(), fetch.next_deadline()].into_iter().flatten().min();
            *now = (*now).max(next.expect("the client has a deadline"));
        }
        client.timers(*now);
        assert!(*now < limit, "it hangs");
    };
    assert!(client.len().0 == 0 || outcome.is_err(), "the connection is over");
    (body, outcome)
}

/// A server that sends this text and closes, whatever was asked.
fn answered(text: &[u8], closes: bool) -> (String, Result<(), String>) {
    let mut server = end(b"drawn at startup");
    let listener = server.listen(Listen::port(8000)).expect("a free port");
    let (mut peer, mut asked): (Option<Id>, Vec<u8>) = (None, Vec::new());
    let (body, outcome) = fetch("http://192.0.2.1:8000/some?path#place", &mut server, |server, now| {
        if let Some(id) = server.accept(listener) {
            peer = Some(id);
        }
        let Some(Ok(mut socket)) = peer.map(|id| server.socket(id, now)) else { return };
        let before = asked.ends_with(b"\r\n\r\n");
        asked.extend(socket.chunks().flatten());
        if asked.ends_with(b"\r\n\r\n") && !before {
            assert_eq!(socket.write(text), Ok(text.len()));
            if closes {
                socket.close().expect("once");
            }
        } else if socket.eof() {
            let _ = socket.close();
        }
    });
    let asked = String::from_utf8(asked).expect("ASCII");
    assert!(asked.is_empty() || asked.starts_with("GET /some?path HTTP/1.0\r\nHost: 192.0.2.1:8000\r\n"), "{asked}");
    (String::from_utf8(body).expect("ASCII"), outcome)
}

#[test]
fn what_the_server_has_is_fetched_whole() {
    for host in ["192.0.2.1", "[2001:db8::1]", "192.0.2.1:80"] {
        for octets in [0, 1, 1460, 100_000, 3_000_000_u64] {
            let mut server = end(b"drawn at startup");
            let mut http = Server::new(&mut server, &[Listen::port(80)], PATIENCE).expect("a free port");
            let url = format!("http://{host}/bytes/{octets}");
            let (body, outcome) = fetch(&url, &mut server, |server, now| http.turn(server, now));
            assert_eq!((body.len() as u64, outcome), (octets, Ok(())), "{url}");
            assert!(body.iter().zip(0..).all(|(have, place)| *have == octet(place)), "{url}");
        }
    }
}

/// With Fast Open, from the second time on, a round trip earlier.
#[test]
fn a_request_on_the_syn_is_answered_a_round_trip_earlier() {
    let times = |fast_open: usize| {
        let (mut client, mut server, mut now) =
            (end(b"drawn by another"), end(b"drawn at startup"), Instant::from_millis(1));
        let place = Listen { fast_open, ..Listen::port(80) };
        let mut http = Server::new(&mut server, &[place], PATIENCE).expect("a free port");
        [false, true, true, true].map(|fast_open| {
            let begin = now;
            let url = "http://192.0.2.1/bytes/1000";
            let (body, outcome) =
                fetch_by(&mut client, &mut now, fast_open, url, &mut server, |server, now| http.turn(server, now));
            assert!((body.len(), outcome) == (1000, Ok(())) && body.iter().zip(0..).all(|(have, n)| *have == octet(n)));
            now.saturating_since(begin).as_millis()
        })
    };
    let [plain, asks, first, second] = times(8);
    assert_eq!([asks, first, second], [plain, plain - 1, plain - 1]);
    assert_eq!(times(0), [plain; 4], "a server without");
}

#[test]
fn the_end_of_the_body_is_that_of_its_length_or_of_the_stream() {
    let ok = |text: &str| (text.to_owned(), Ok(()));
    assert_eq!(answered(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more", false), ok("hello"));
    assert_eq!(answered(b"HTTP/1.0 200 OK\r\n\r\nhello and more", true), ok("hello and more"));
    assert_eq!(answered(b"HTTP/1.1 204 No Content\r\n\r\n", false), ok(""));
}

#[test]
fn what_goes_wrong_is_said_in_words() {
    let cases: [(&[u8], bool, &str, &str); 7] = [
        (
            b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone",
            false,
            "none",
            "the server answered 404 Not Found",
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", true, "hello", "the server ended after 5 of 9 octets"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", false, "", "a Content-Length of 'x'"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            false,
            "",
            "a transfer coding, chunked, to HTTP/1.0",
        ),
        (b"220 mail.example ESMTP\r\n\r\n", false, "", "does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\n", true, "", "the server ended without a response"),
        (b"HTTP/1.1 200 OK\r\n", false, "", "nothing came for 60 s"),
    ];
    for (text, closes, body, words) in cases {
        let (got, outcome) = answered(text, closes);
        let problem = outcome.expect_err(words);
        assert!(got == body && problem.contains(words), "{problem}: {got}");
    }
}

#[test]
fn the_reasons_of_tcp_are_told() {
    let mut nobody = end(b"drawn at startup");
    let refused = fetch("http://192.0.2.1/", &mut nobody, |_, _| ());
    assert_eq!(refused, (Vec::new(), Err("connection refused".to_owned())));

    let elsewhere = EndpointConfig { addresses: vec!["192.0.2.9".parse().expect("one")], ..EndpointConfig::default() };
    let mut silent = Endpoint::new(Keys::new(*b"drawn at startup"), elsewhere);
    let silence = fetch("http://192.0.2.1/", &mut silent, |_, _| ());
    assert_eq!(silence, (Vec::new(), Err("no answer to the SYN for 60 s".to_owned())));

    let mut resets = end(b"drawn at startup");
    let listener = resets.listen(Listen::port(80)).expect("a free port");
    let reset = fetch("http://192.0.2.1/", &mut resets, |server, now| {
        if let Some(id) = server.accept(listener) {
            server.socket(id, now).expect("it is new").abort();
        }
    });
    assert_eq!(reset, (Vec::new(), Err("connection reset by the peer".to_owned())));
}

#[test]
fn a_url_has_an_address_for_its_host() {
    for (text, to) in [
        ("http://192.0.2.1", "192.0.2.1:80"),
        ("http://192.0.2.1:8000/a", "192.0.2.1:8000"),
        ("http://[2001:db8::1]/", "[2001:db8::1]:80"),
        ("http://[2001:db8::1]:81?q", "[2001:db8::1]:81"),
    ] {
        assert_eq!(text.parse().map(|url: Url| url.to), Ok(to.parse().expect("an address")), "{text}");
    }
    for text in [
        "",
        "192.0.2.1",
        "https://192.0.2.1/",
        "http://example.org/",
        "http:///a",
        "http://192.0.2.1/a b",
        "http://1.2.3.4:x/",
    ] {
        let problem = text.parse::<Url>().expect_err(text);
        assert!(problem.contains("http://192.0.2.1:8000/path"), "{problem}");
    }
}
