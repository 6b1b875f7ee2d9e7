// What `.ci/package` appends to the first example of the README: a client beside it, until the response is there.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    use segue::host::{EndpointConfig, Keys, Listen};

    let mut server = Endpoint::new(Keys::new(*b"drawn at startup"), EndpointConfig::default());
    let mut client = Endpoint::new(Keys::new(*b"drawn by another"), EndpointConfig::default());
    let http = server.listen(Listen::port(80))?;
    let mut now = Instant::ZERO;
    let id = client.connect("198.51.100.7".parse()?, "192.0.2.1:80".parse()?, now)?;
    client.socket(id, now)?.write(b"GET / HTTP/1.0\r\n\r\n")?;
    let mut back: Vec<Vec<u8>> = Vec::new();
    for _ in 0..10 {
        now += std::time::Duration::from_millis(1);
        for datagram in back {
            let _ = client.receive_ip(datagram.into(), Format::default(), now);
        }
        if let Some(text) = client.socket(id, now)?.chunk() {
            assert_eq!(text, "HTTP/1.0 200 OK\r\n\r\nhello\n");
            println!("the first example of the README answered: {} octets", text.len());
            return Ok(());
        }
        let mut out = Vec::new();
        client.flush_ip(now, Format::default(), |datagram| out.push(datagram.to_vec()));
        back = turn(&mut server, http, out, now);
    }
    Err("no response".into())
}
