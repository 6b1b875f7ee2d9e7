//! The program as its users run it: the command line, and the kernel's TCP as client on a real TUN device.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use segue_tun_http::http::octet;

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
    let wrong: [&[&str]; 7] = [
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
