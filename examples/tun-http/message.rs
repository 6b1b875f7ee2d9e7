//! The messages of HTTP/1.1 (RFC 9112): what a request asks for, and the head of a response. It knows no connection.

use std::mem::MaybeUninit;

use bytes::BufMut;

/// The longest head of a request, in octets.
const LONGEST_HEAD: usize = 8192;
/// The most fields of a request.
const MOST_FIELDS: usize = 64;

const HELLO: &str = "Hello from segue. GET /bytes/N gives N octets.\n";

/// What a request asks for.
pub struct Asked {
    pub status: &'static str,
    pub body: Body,
    pub head_only: bool,
    pub keep: bool,
    /// Whether the client speaks HTTP/1.0, where keeping is the exception.
    pub old: bool,
    /// Octets of the request's own body.
    pub skip: u64,
}

pub enum Body {
    Text(&'static str),
    Octets(u64),
}

/// The next request, if its head is complete, and the octets that it takes from the input.
pub fn understand(input: &[u8]) -> Option<(Asked, usize)> {
    if input.is_empty() {
        return None;
    }
    let mut fields = [const { MaybeUninit::uninit() }; MOST_FIELDS];
    let mut request = httparse::Request::new(&mut []);
    match request.parse_with_uninit_headers(input, &mut fields) {
        Ok(httparse::Status::Complete(octets)) => Some((asked(&request), octets)),
        Ok(httparse::Status::Partial) if input.len() <= LONGEST_HEAD => None,
        Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
            Some((refused("431 Request Header Fields Too Large"), input.len()))
        }
        Err(_) => Some((refused("400 Bad Request"), input.len())),
    }
}

/// The head of the response, with the body where that is a text. No Date: this server has no clock of the day (RFC 9110
/// §6.6.1).
pub fn answer(asked: &Asked, to: &mut impl BufMut) {
    let (length, kind) = match asked.body {
        Body::Text(text) => (u64::try_from(text.len()).unwrap_or(0), "text/plain"),
        Body::Octets(octets) => (octets, "application/octet-stream"),
    };
    let connection = match (asked.keep, asked.old) {
        (true, false) => "",
        (true, true) => "Connection: keep-alive\r\n",
        (false, _) => "Connection: close\r\n",
    };
    let allow = if asked.status.starts_with("405") { "Allow: GET, HEAD\r\n" } else { "" };
    // Pieces, not a format: this runs for each response.
    for piece in ["HTTP/1.1 ", asked.status, "\r\nServer: segue\r\nContent-Type: ", kind, "\r\nContent-Length: "] {
        to.put_slice(piece.as_bytes());
    }
    put_number(length, to);
    for piece in ["\r\n", allow, connection, "\r\n"] {
        to.put_slice(piece.as_bytes());
    }
    if let Body::Text(text) = asked.body {
        to.put_slice(if asked.head_only { b"" } else { text.as_bytes() });
    }
}

fn put_number(mut number: u64, to: &mut impl BufMut) {
    let (mut digits, mut at) = ([0; 20], 20); // u64::MAX has 20
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
        (number, at) = (number / 10, at - 1);
        if number == 0 {
            break;
        }
    }
    to.put_slice(digits.get(at..).unwrap_or_default());
}

/// A request that is not understood: what follows it is not either.
fn refused(status: &'static str) -> Asked {
    Asked { status, body: Body::Text(status), head_only: false, keep: false, old: false, skip: 0 }
}

/// What a complete head asks for.
fn asked(request: &httparse::Request<'_, '_>) -> Asked {
    let (Some(method), Some(path), Some(version)) = (request.method, request.path, request.version) else {
        return refused("400 Bad Request");
    };
    let (mut keep, mut hosts, mut length) = (version == 1, 0, None);
    for field in request.headers.iter() {
        let is = |name: &str| field.name.eq_ignore_ascii_case(name);
        if is("Connection") {
            let has =
                |option: &[u8]| field.value.split(|c| *c == b',').any(|o| o.trim_ascii().eq_ignore_ascii_case(option));
            keep = !has(b"close") && (keep || has(b"keep-alive"));
        } else if is("Host") {
            hosts += 1;
        } else if is("Transfer-Encoding") {
            return refused("501 Not Implemented"); // nobody sends bodies here
        } else if is("Content-Length") {
            // RFC 9112 §6.3: what differs or is no number cannot be trusted, nor can what follows.
            let digits = field.value.iter().all(u8::is_ascii_digit);
            let value = std::str::from_utf8(field.value).ok().filter(|_| digits).and_then(|text| text.parse().ok());
            if value.is_none() || length.is_some_and(|length| Some(length) != value) {
                return refused("400 Bad Request");
            }
            length = value;
        }
    }
    // RFC 9112 §3.2: exactly one Host in HTTP/1.1.
    if hosts > 1 || (version == 1 && hosts == 0) {
        return refused("400 Bad Request");
    }
    let (status, body) = match (method, path, path.strip_prefix("/bytes/")) {
        ("GET" | "HEAD", "/", _) => ("200 OK", Body::Text(HELLO)),
        ("GET" | "HEAD", _, Some(number)) => match number.parse() {
            Ok(octets) if number.bytes().all(|c| c.is_ascii_digit()) => ("200 OK", Body::Octets(octets)),
            _ => ("404 Not Found", Body::Text("/bytes/N: N is a number of octets\n")),
        },
        ("GET" | "HEAD", _, None) => ("404 Not Found", Body::Text("there is / and /bytes/N\n")),
        _ => ("405 Method Not Allowed", Body::Text("only GET and HEAD\n")),
    };
    Asked { status, body, head_only: method == "HEAD", keep, old: version == 0, skip: length.unwrap_or(0) }
}
