//! Options and addresses among the arguments of socket calls.

use std::net::SocketAddr;
use std::time::Duration;

use crate::call::{Call, Value};
use crate::stack::SocketOption;

/// Options that change nothing here.
const WITHOUT_EFFECT: [&str; 6] =
    ["SO_REUSEADDR", "SO_REUSEPORT", "IP_MTU_DISCOVER", "IPV6_MTU_DISCOVER", "TCP_QUICKACK", "SO_RCVLOWAT"];

/// A number of octets for a script.
pub(crate) fn size(octets: usize) -> i64 {
    i64::try_from(octets).unwrap_or(i64::MAX)
}

/// The option that `setsockopt` names; none: it changes nothing here.
pub(crate) fn option(call: &Call) -> Result<Option<SocketOption>, String> {
    let (Some(Value::Word(name)), Some(value)) = (call.arguments.get(2), call.arguments.get(3)) else {
        return Err("setsockopt has a level, the name of an option and a value such as [1]".into());
    };
    if WITHOUT_EFFECT.contains(&name.as_str()) {
        return Ok(None);
    }
    if name == "TCP_CONGESTION" {
        return match value {
            Value::Text(name) if name == "reno" || name == "cubic" => Ok(Some(SocketOption::Reno(name == "reno"))),
            other => Err(format!("TCP_CONGESTION is \"reno\" or \"cubic\", not {other}")),
        };
    }
    let number = value.number().ok_or_else(|| format!("the value of {name} is a number such as [1], not {value}"))?;
    let bad = || format!("{number} is out of the range of {name}");
    let seconds = || u64::try_from(number).map(Duration::from_secs).map_err(|_| bad());
    let octets = || u32::try_from(number).map_err(|_| bad());
    let count = || u8::try_from(number).map_err(|_| bad());
    Ok(Some(match name.as_str() {
        "TCP_NODELAY" => SocketOption::NoDelay(number != 0),
        "TCP_CORK" => SocketOption::Cork(number != 0),
        "SO_KEEPALIVE" => SocketOption::KeepAlive(number != 0),
        "TCP_KEEPIDLE" => SocketOption::KeepIdle(seconds()?),
        "TCP_KEEPINTVL" => SocketOption::KeepInterval(seconds()?),
        "TCP_KEEPCNT" => SocketOption::KeepCount(count()?),
        "TCP_USER_TIMEOUT" => {
            SocketOption::UserTimeout(Duration::from_millis(u64::try_from(number).map_err(|_| bad())?))
        }
        "TCP_MAXSEG" => SocketOption::MaxSegment(u16::try_from(number).map_err(|_| bad())?),
        "TCP_SYNCNT" => SocketOption::SynCount(count()?),
        "TCP_LINGER2" => SocketOption::Linger2(seconds()?),
        "SO_RCVBUF" => SocketOption::ReceiveBuffer(octets()?),
        "SO_SNDBUF" => SocketOption::SendBuffer(octets()?),
        other => {
            return Err(format!(
                "the option {other} is not supported; these are: TCP_NODELAY TCP_CORK TCP_KEEPIDLE TCP_KEEPINTVL \
                 TCP_KEEPCNT TCP_USER_TIMEOUT TCP_MAXSEG TCP_SYNCNT TCP_LINGER2 TCP_CONGESTION SO_KEEPALIVE SO_LINGER \
                 SO_RCVBUF SO_SNDBUF, without effect {}",
                WITHOUT_EFFECT.join(" ")
            ));
        }
    }))
}

/// `{sa_family = AF_INET, sin_port = htons(80), sin_addr = inet_addr("192.0.2.1")}`
pub(crate) fn socket_address(value: &Value) -> Result<SocketAddr, String> {
    let of = |name: &str| match value.field(name) {
        Some(Value::Function(_, arguments)) => arguments.first(),
        _ => None,
    };
    let port = of("sin_port").and_then(Value::number).and_then(|port| u16::try_from(port).ok());
    let ip = match of("sin_addr") {
        Some(Value::Text(ip)) => ip.parse().ok(),
        _ => None,
    };
    match (ip, port) {
        (Some(ip), Some(port)) => Ok(SocketAddr::new(ip, port)),
        _ => Err(format!(
            "{value} is no address: write ... or {{sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr(\"192.0.2.1\")}}"
        )),
    }
}
