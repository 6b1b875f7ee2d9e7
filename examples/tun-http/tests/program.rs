//! The program as its users run it: the command line, and the kernel's TCP as client on a real TUN device.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use segue_tun_http::http::octet;
use socket2::{Domain, Socket, Type};

use super::namespace::isolated;

const PROGRAM: &str = env!("CARGO_BIN_EXE_tun-http");
const LIMIT: Duration = Duration::from_secs(30);

/// The running program.
struct Running(Child);

impl Running {
    /// Starts it, and waits until it says that all is ready.
    fn new(args: &[&str]) -> Self {
        let mut child = Command::new(PROGRAM).args(args).stdout(Stdio::piped()).spawn().expect("the program");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("text");
        assert!(line.contains("end with Ctrl-C"), "it said: {line}");
        Self(child)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        assert!(matches!(self.0.try_wait(), Ok(None)), "the program ended by itself");
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn connect(to: &str) -> TcpStream {
    let stream = TcpStream::connect(to).expect("a connection");
    stream.set_read_timeout(Some(LIMIT)).expect("a time limit");
    stream.set_write_timeout(Some(LIMIT)).expect("a time limit");
    stream
}

/// The head and the body of one response.
fn response(stream: &mut impl BufRead) -> (String, Vec<u8>) {
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let begin = head.len();
        assert!(stream.read_line(&mut head).expect("a line") > 0, "the stream ended in the head: {head}");
        let line = &head[begin..];
        if line == "\r\n" {
            break;
        }
        if let Some(number) = line.strip_prefix("Content-Length: ") {
            length = number.trim().parse().expect("a number");
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).expect("the whole body");
    (head, body)
}

fn get(stream: &mut BufReader<TcpStream>, path: &str) -> (String, Vec<u8>) {
    stream.get_mut().write_all(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).expect("room");
    response(stream)
}

fn output(command: &mut Command) -> Output {
    command.output().expect("it runs")
}

#[test]
fn help_is_told_and_a_wrong_command_line_is_2() {
    let help = output(Command::new(PROGRAM).arg("--help"));
    assert_eq!(help.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&help.stdout).contains("curl http://192.0.2.2/"));
    let wrong: [&[&str]; 15] = [
        &["--fast-open"],
        &["--fast-open", "many"],
        &["--fast-open", "65536"],
        &["fetch", "http://192.0.2.1/", "http://example.org/"],
        &["fetch"],
        &["fetch", "http://example.org/"],
        &["fetch", "https://192.0.2.1/"],
        &["fetch", "http://192.0.2.1/", "proxy"],
        &["--nonsense"],
        &["serve", "proxy"],
        &["--mtu", "100"],
        &["--port", "0"],
        &["--to", "nowhere", "proxy"],
        &["--device", "a name that is too long"],
        &["--idle"],
    ];
    for args in wrong {
        let output = output(Command::new(PROGRAM).args(args));
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {errors}");
        assert!(errors.starts_with("tun-http: ") && errors.contains("Usage:"), "{args:?}: {errors}");
    }
}

#[test]
fn without_privileges_it_says_what_to_do() {
    isolated("program::without_privileges_it_says_what_to_do", || {
        // Root without capabilities: as a container has it.
        let output = Command::new("setpriv").args(["--bounding-set=-all", "--inh-caps=-all", PROGRAM]).output();
        let Ok(output) = output else {
            return eprintln!("SKIPPED: `setpriv` (package util-linux) is not there");
        };
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{errors}");
        assert!(errors.contains("run as root, or give the program CAP_NET_ADMIN"), "{errors}");
    });
}

#[test]
fn the_kernel_is_served() {
    isolated("program::the_kernel_is_served", || {
        for options in [&[] as &[&str], &["--no-offload"]] {
            let _running = Running::new(options);
            for address in ["192.0.2.2:80", "[2001:db8::2]:80"] {
                let mut stream = BufReader::new(connect(address));
                let (head, body) = get(&mut stream, "/");
                assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && body.starts_with(b"Hello"), "{head}");
                let (_, body) = get(&mut stream, "/bytes/5000000");
                assert!(body.len() == 5_000_000 && body.iter().zip(0..).all(|(have, place)| *have == octet(place)));
                let (head, _) = get(&mut stream, "/nothing");
                assert!(head.starts_with("HTTP/1.1 404 Not Found\r\n"), "{head}");
                // A body that nobody wants, in large pieces: GSO from the kernel.
                let post = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n";
                stream.get_mut().write_all(post).expect("room");
                stream.get_mut().write_all(&[b'x'; 3_000_000]).expect("room");
                assert!(response(&mut stream).0.starts_with("HTTP/1.1 405 "));
                assert!(get(&mut stream, "/").0.starts_with("HTTP/1.1 200 OK\r\n"));
            }
        }
    });
}

#[test]
fn a_thousand_connections_of_the_kernel_are_served() {
    isolated("program::a_thousand_connections_of_the_kernel_are_served", || {
        let _running = Running::new(&["--port", "8080"]);
        let serve = |_| {
            let mut streams: Vec<_> = (0..250).map(|_| BufReader::new(connect("192.0.2.2:8080"))).collect();
            for round in 0..3 {
                for stream in &mut streams {
                    let request = format!("GET /bytes/{round}000 HTTP/1.1\r\nHost: a\r\n\r\n");
                    stream.get_mut().write_all(request.as_bytes()).expect("room");
                }
                for stream in &mut streams {
                    assert_eq!(response(stream).1.len(), round * 1000);
                }
            }
            streams.len()
        };
        let threads: Vec<_> = (0..4).map(|n| thread::spawn(move || serve(n))).collect();
        let served: usize = threads.into_iter().map(|thread| thread.join().expect("no error")).sum();
        assert_eq!(served, 1000);
    });
}

/// Half-close in both directions.
#[test]
fn the_proxy_ends_each_direction_by_itself() {
    isolated("program::the_proxy_ends_each_direction_by_itself", || {
        let upstream = TcpListener::bind("127.0.0.1:0").expect("a port");
        let to = format!("192.0.2.77:{}", upstream.local_addr().expect("an address").port());
        let _running = Running::new(&["proxy"]);
        // The client ends first; the upstream answers when it knows all, far more than any buffer holds.
        let echo = thread::spawn(move || {
            let (mut stream, _) = upstream.accept().expect("the proxy dials");
            let mut all = Vec::new();
            stream.read_to_end(&mut all).expect("until the client's end");
            stream.write_all(&all).expect("room");
            drop(stream);
            // The upstream ends first.
            let (mut stream, _) = upstream.accept().expect("the proxy dials");
            stream.write_all(b"goodbye").expect("room");
            stream.shutdown(Shutdown::Write).expect("once");
            let mut last = Vec::new();
            stream.read_to_end(&mut last).expect("until the client's end");
            last
        });
        let text: Vec<u8> = (0..8_000_000).map(octet).collect();
        let mut stream = connect(&to);
        stream.write_all(&text).expect("room");
        stream.shutdown(Shutdown::Write).expect("once");
        let mut all = Vec::new();
        stream.read_to_end(&mut all).expect("until the upstream's end");
        assert!(all == text, "{} octets came back", all.len());

        let mut stream = connect(&to);
        let mut all = Vec::new();
        stream.read_to_end(&mut all).expect("until the upstream's end");
        assert_eq!(all, b"goodbye");
        stream.write_all(&text).expect("this direction is open");
        drop(stream);
        assert!(echo.join().expect("no error") == text);
    });
}

/// The gate, and resets.
#[test]
fn the_proxy_refuses_what_the_upstream_refuses() {
    isolated("program::the_proxy_refuses_what_the_upstream_refuses", || {
        let upstream = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = upstream.local_addr().expect("an address").port();
        let _running = Running::new(&["proxy"]);
        let stream = connect(&format!("192.0.2.5:{port}"));
        let (mut accepted, _) = upstream.accept().expect("the proxy dials");
        accepted.write_all(b"hello").expect("room");
        stream.peek(&mut [0; 1]).expect("the text");
        drop(stream); // it is unread: the kernel sends a reset
        let reset = accepted.read(&mut [0; 1]).expect_err("a reset, no end");
        assert_eq!(reset.kind(), ErrorKind::ConnectionReset);

        let mut stream = connect(&format!("192.0.2.5:{port}"));
        let (mut accepted, _) = upstream.accept().expect("the proxy dials");
        stream.write_all(b"hello").expect("room");
        accepted.read_exact(&mut [0; 4]).expect("the text");
        drop((accepted, upstream)); // an octet is unread: the kernel sends a reset
        let reset = stream.read(&mut [0; 1]).expect_err("a reset, no end");
        assert_eq!(reset.kind(), ErrorKind::ConnectionReset);
        let refused = TcpStream::connect(format!("192.0.2.5:{port}")).expect_err("nobody listens");
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    });
}

/// A server of the kernel for one request: what it was asked, when it has answered and closed.
fn serve_once(address: &str, answer: Vec<u8>) -> (u16, thread::JoinHandle<Vec<String>>) {
    serve(address, 1, answer)
}

/// The same for several requests, one after another.
fn serve(address: &str, requests: usize, answer: Vec<u8>) -> (u16, thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind(format!("{address}:0")).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let serve_next = move |_| {
        let mut stream = BufReader::new(listener.accept().expect("the client comes").0);
        let mut asked = String::new();
        while !asked.ends_with("\r\n\r\n") {
            assert!(stream.read_line(&mut asked).expect("a line") > 0, "it ended: {asked}");
        }
        stream.get_mut().write_all(&answer).expect("room");
        asked
    };
    (port, thread::spawn(move || (0..requests).map(serve_next).collect()))
}

#[test]
fn what_the_kernel_serves_is_fetched() {
    isolated("program::what_the_kernel_serves_is_fetched", || {
        let text: Vec<u8> = (0..3_000_000).map(octet).collect();
        for (bind, host) in [("0.0.0.0", "192.0.2.1"), ("[::]", "[2001:db8::1]")] {
            for options in [&[] as &[&str], &["--no-offload"]] {
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", text.len());
                let (port, served) = serve_once(bind, [head.as_bytes(), &text].concat());
                let url = format!("http://{host}:{port}/some?path");
                let fetched = output(Command::new(PROGRAM).args(options).args(["fetch", &url]));
                let errors = String::from_utf8_lossy(&fetched.stderr).into_owned();
                assert_eq!(fetched.status.code(), Some(0), "{url}: {errors}");
                assert!(fetched.stdout == text && errors.is_empty(), "{} octets, {errors}", fetched.stdout.len());
                assert!(served.join().expect("no error")[0].starts_with("GET /some?path HTTP/1.0\r\n"));
            }
        }
    });
}

#[test]
fn what_cannot_be_fetched_is_1_and_told_in_words() {
    isolated("program::what_cannot_be_fetched_is_1_and_told_in_words", || {
        let (port, served) = serve_once("0.0.0.0", b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone".to_vec());
        let silent = TcpListener::bind("0.0.0.0:0").expect("a port"); // it accepts and says nothing
        let silent = silent.local_addr().map(|address| (silent, address.port())).expect("an address");
        for (port, body, words) in [
            (port, "none", "the server answered 404 Not Found"),
            (1, "", "connection refused"),
            (silent.1, "", "nothing came for 1 s"),
        ] {
            let url = format!("http://192.0.2.1:{port}/");
            let fetched = output(Command::new(PROGRAM).args(["--idle", "1", "fetch", &url]));
            let (got, errors) = (String::from_utf8_lossy(&fetched.stdout), String::from_utf8_lossy(&fetched.stderr));
            assert_eq!(fetched.status.code(), Some(1), "{url}: {errors}");
            assert!(got == body && errors == format!("tun-http: 192.0.2.1:{port}: {words}\n"), "{got} {errors}");
        }
        served.join().expect("no error");
    });
}

/// What the kernel of the namespace counted.
fn count(name: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/net/netstat").expect("the counters");
    let lines: Vec<_> = text.lines().filter(|line| line.starts_with("TcpExt:")).collect();
    let mut named = lines[0].split(' ').zip(lines[1].split(' '));
    named.find(|(of, _)| *of == name).and_then(|(_, count)| count.parse().ok()).expect(name)
}

/// Lets the kernel's TCP use Fast Open: its clients (1), its listeners (2), and these without a socket option (0x400). False,
/// and said: it has none.
fn allow_fast_open(value: &str) -> bool {
    let allowed = std::fs::write("/proc/sys/net/ipv4/tcp_fastopen", value).is_ok();
    if !allowed {
        eprintln!("SKIPPED: this kernel has no net.ipv4.tcp_fastopen");
    }
    allowed
}

/// What the kernel writes with `MSG_FASTOPEN` goes on its SYN, when it has a cookie: from the second connection on.
#[test]
fn requests_on_syns_of_the_kernel_are_served() {
    isolated("program::requests_on_syns_of_the_kernel_are_served", || {
        if !allow_fast_open("1") {
            return;
        }
        for (options, taken) in [(&["--fast-open", "8"] as &[&str], 2), (&[], 0)] {
            let _running = Running::new(options);
            for address in ["192.0.2.2:80", "[2001:db8::2]:80"] {
                let before = count("TCPFastOpenActive");
                for _ in 0..3 {
                    let to: SocketAddr = address.parse().expect("an address");
                    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None).expect("a socket");
                    let request = b"GET /bytes/100000 HTTP/1.1\r\nHost: a\r\n\r\n";
                    let sent = socket.send_to_with_flags(request, &to.into(), libc::MSG_FASTOPEN);
                    assert_eq!(sent.expect("a connection"), request.len());
                    let stream = TcpStream::from(socket);
                    stream.set_read_timeout(Some(LIMIT)).expect("a time limit");
                    assert_eq!(response(&mut BufReader::new(stream)).1.len(), 100_000);
                }
                assert_eq!(count("TCPFastOpenActive") - before, taken, "{address} {options:?}");
            }
        }
    });
}

/// One fetch after another: the first brings the cookie of the host, and the requests of the others are on their SYNs. Over
/// IPv6 the kernel may not be able to use its address yet when the first SYN comes; the second brings the cookie then.
#[test]
fn what_is_fetched_next_is_asked_for_on_the_syn() {
    isolated("program::what_is_fetched_next_is_asked_for_on_the_syn", || {
        if !allow_fast_open("1027") {
            return;
        }
        for (bind, host, with) in [("0.0.0.0", "192.0.2.1", 2..=2), ("[::]", "[2001:db8::1]", 1..=2)] {
            for (options, taken) in [(&["--fast-open", "1"] as &[&str], with), (&[], 0..=0)] {
                let before = count("TCPFastOpenPassive");
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello".to_vec();
                let (first, once) = serve_once(bind, answer.clone());
                let (port, served) = serve(bind, 2, answer);
                let urls = [(first, "a"), (port, "b"), (port, "c")];
                let urls = urls.map(|(port, path)| format!("http://{host}:{port}/{path}"));
                let fetched = output(Command::new(PROGRAM).args(options).arg("fetch").args(&urls));
                let errors = String::from_utf8_lossy(&fetched.stderr).into_owned();
                assert_eq!((fetched.status.code(), errors.as_str()), (Some(0), ""));
                assert_eq!(fetched.stdout, b"hellohellohello");
                let asked = [once, served].map(|served| served.join().expect("no error")).concat();
                let paths: Vec<_> = asked.iter().filter_map(|asked| asked.split(' ').nth(1)).collect();
                assert_eq!(paths, ["/a", "/b", "/c"]);
                let count = count("TCPFastOpenPassive") - before;
                assert!(taken.contains(&count), "{count} {host} {options:?}");
            }
        }
        // The first that does not come is the last.
        let (port, served) = serve_once("0.0.0.0", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello".to_vec());
        let urls = [port, 1, port].map(|port| format!("http://192.0.2.1:{port}/"));
        let fetched = output(Command::new(PROGRAM).args(["--fast-open", "1", "fetch"]).args(urls));
        assert_eq!((fetched.status.code(), fetched.stdout.as_slice()), (Some(1), &b"hello"[..]));
        assert_eq!(String::from_utf8_lossy(&fetched.stderr), "tun-http: 192.0.2.1:1: connection refused\n");
        served.join().expect("no error");
    });
}

/// Octets of memory that the process has, the largest that it had.
fn peak(running: &Running) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", running.0.id())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim_end_matches("kB").trim().parse::<usize>().expect("a number") << 10
}

/// Writes until there has been no room for a second; how much went.
fn fill(stream: &mut TcpStream) -> usize {
    stream.set_write_timeout(Some(Duration::from_secs(1))).expect("a time limit");
    let (text, mut written) = ([b'x'; 65_536], 0);
    while written < 1 << 30 {
        match stream.write(&text) {
            Ok(octets) => written += octets,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => panic!("{error}"),
        }
    }
    written
}

/// Backpressure in both directions: who does not read stops who writes, and nothing is lost when it goes on.
#[test]
fn the_proxy_keeps_little_for_who_does_not_read() {
    isolated("program::the_proxy_keeps_little_for_who_does_not_read", || {
        let upstream = TcpListener::bind("127.0.0.1:0").expect("a port");
        let to = format!("192.0.2.77:{}", upstream.local_addr().expect("an address").port());
        let running = Running::new(&["proxy"]);
        let mut client = connect(&to);
        let (mut server, _) = upstream.accept().expect("the proxy dials");
        server.set_read_timeout(Some(LIMIT)).expect("a time limit");
        let before = peak(&running);
        let (up, down) = (fill(&mut client), fill(&mut server));
        let kept = peak(&running) - before;
        println!("{up} octets up and {down} down, {kept} in the proxy");
        assert!(up < 64 << 20 && down < 64 << 20, "{up} up, {down} down");
        assert!(kept < 8 << 20, "{kept} octets");
        for (from, mut to, octets) in [(&client, &server, up), (&server, &client, down)] {
            from.shutdown(Shutdown::Write).expect("once");
            let mut all = Vec::new();
            to.read_to_end(&mut all).expect("until the end");
            assert!(all.len() == octets && all.iter().all(|octet| *octet == b'x'), "{} of {octets}", all.len());
        }
    });
}
