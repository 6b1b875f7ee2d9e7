//! Socket calls as values.

use std::fmt;

/// A call and what it must return.
#[derive(Clone, PartialEq, Debug)]
pub struct Call {
    pub name: String,
    pub arguments: Vec<Value>,
    pub result: Value,
    /// The name of the expected error.
    pub errno: Option<String>,
}

/// An argument or a result.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    /// `...`
    Any,
    Number(i64),
    Word(String),
    Text(String),
    /// Words or numbers joined by `|`.
    Or(Vec<Self>),
    List(Vec<Self>),
    /// `{name = value, …}`
    Struct(Vec<(String, Self)>),
    /// `htons(80)`, `inet_addr("192.0.2.1")`
    Function(String, Vec<Self>),
}

impl Value {
    /// The value of a field of a struct.
    pub fn field(&self, name: &str) -> Option<&Self> {
        let Self::Struct(fields) = self else { return None };
        fields.iter().find(|(field, _)| field == name).map(|(_, value)| value)
    }

    /// A number, also one behind a name of the socket interface.
    pub fn number(&self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Word(word) => constant(word),
            Self::Or(parts) => parts.iter().try_fold(0, |all, part| Some(all | part.number()?)),
            Self::List(items) => match items.as_slice() {
                [item] => item.number(),
                _ => None,
            },
            Self::Any | Self::Text(_) | Self::Struct(_) | Self::Function(..) => None,
        }
    }

    /// Whether this word is in the value, alone or joined by `|`.
    pub fn has(&self, word: &str) -> bool {
        match self {
            Self::Word(own) => own == word,
            Self::Or(parts) => parts.iter().any(|part| part.has(word)),
            _ => false,
        }
    }
}

fn joined(f: &mut fmt::Formatter<'_>, values: &[Value], separator: &str) -> fmt::Result {
    for (place, value) in values.iter().enumerate() {
        if place > 0 {
            f.write_str(separator)?;
        }
        write!(f, "{value}")?;
    }
    Ok(())
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("..."),
            Self::Number(number) => write!(f, "{number}"),
            Self::Word(word) => f.write_str(word),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Or(parts) => joined(f, parts, "|"),
            Self::List(items) => {
                f.write_str("[")?;
                joined(f, items, ", ")?;
                f.write_str("]")
            }
            Self::Struct(fields) => {
                f.write_str("{")?;
                for (place, (name, value)) in fields.iter().enumerate() {
                    write!(f, "{}{name}={value}", if place > 0 { ", " } else { "" })?;
                }
                f.write_str("}")
            }
            Self::Function(name, arguments) => {
                write!(f, "{name}(")?;
                joined(f, arguments, ", ")?;
                f.write_str(")")
            }
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.name)?;
        joined(f, &self.arguments, ", ")?;
        write!(f, ") = {}", self.result)?;
        self.errno.as_ref().map_or(Ok(()), |errno| write!(f, " {errno}"))
    }
}

/// Linux's numbers for the names that scripts use as numbers.
const CONSTANTS: [(&str, i64); 35] = [
    ("O_RDONLY", 0),
    ("O_WRONLY", 1),
    ("O_RDWR", 2),
    ("O_NONBLOCK", 0x800),
    ("F_GETFL", 3),
    ("F_SETFL", 4),
    ("SHUT_RD", 0),
    ("SHUT_WR", 1),
    ("SHUT_RDWR", 2),
    ("POLLIN", 1),
    ("POLLPRI", 2),
    ("POLLOUT", 4),
    ("POLLERR", 8),
    ("POLLHUP", 0x10),
    ("POLLRDHUP", 0x2000),
    ("MSG_OOB", 1),
    ("MSG_PEEK", 2),
    ("MSG_DONTWAIT", 0x40),
    ("MSG_NOSIGNAL", 0x4000),
    ("MSG_MORE", 0x8000),
    ("TCP_ESTABLISHED", 1),
    ("TCP_SYN_SENT", 2),
    ("TCP_SYN_RECV", 3),
    ("TCP_FIN_WAIT1", 4),
    ("TCP_FIN_WAIT2", 5),
    ("TCP_TIME_WAIT", 6),
    ("TCP_CLOSE", 7),
    ("TCP_CLOSE_WAIT", 8),
    ("TCP_LAST_ACK", 9),
    ("TCP_LISTEN", 10),
    ("TCP_CLOSING", 11),
    ("TCPI_OPT_TIMESTAMPS", 1),
    ("TCPI_OPT_SACK", 2),
    ("TCPI_OPT_WSCALE", 4),
    ("TCPI_OPT_ECN", 8),
];

/// The number behind a name.
pub fn constant(name: &str) -> Option<i64> {
    CONSTANTS.iter().find(|(own, _)| *own == name).map(|(_, number)| *number)
}

/// Errors of the socket interface, and the numbers that Linux gives them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(clippy::upper_case_acronyms)] // the names of POSIX
pub enum Errno {
    EBADF,
    EAGAIN,
    EINVAL,
    EPIPE,
    EOPNOTSUPP,
    EADDRINUSE,
    EADDRNOTAVAIL,
    ENETUNREACH,
    ECONNABORTED,
    ECONNRESET,
    EISCONN,
    ENOTCONN,
    ETIMEDOUT,
    ECONNREFUSED,
    EHOSTUNREACH,
    EALREADY,
    EINPROGRESS,
    ENOPROTOOPT,
    EMSGSIZE,
    EPROTO,
}

impl Errno {
    pub const ALL: [Self; 20] = [
        Self::EBADF,
        Self::EAGAIN,
        Self::EINVAL,
        Self::EPIPE,
        Self::EOPNOTSUPP,
        Self::EADDRINUSE,
        Self::EADDRNOTAVAIL,
        Self::ENETUNREACH,
        Self::ECONNABORTED,
        Self::ECONNRESET,
        Self::EISCONN,
        Self::ENOTCONN,
        Self::ETIMEDOUT,
        Self::ECONNREFUSED,
        Self::EHOSTUNREACH,
        Self::EALREADY,
        Self::EINPROGRESS,
        Self::ENOPROTOOPT,
        Self::EMSGSIZE,
        Self::EPROTO,
    ];

    pub const fn number(self) -> i64 {
        match self {
            Self::EBADF => 9,
            Self::EAGAIN => 11,
            Self::EINVAL => 22,
            Self::EPIPE => 32,
            Self::EPROTO => 71,
            Self::EMSGSIZE => 90,
            Self::ENOPROTOOPT => 92,
            Self::EOPNOTSUPP => 95,
            Self::EADDRINUSE => 98,
            Self::EADDRNOTAVAIL => 99,
            Self::ENETUNREACH => 101,
            Self::ECONNABORTED => 103,
            Self::ECONNRESET => 104,
            Self::EISCONN => 106,
            Self::ENOTCONN => 107,
            Self::ETIMEDOUT => 110,
            Self::ECONNREFUSED => 111,
            Self::EHOSTUNREACH => 113,
            Self::EALREADY => 114,
            Self::EINPROGRESS => 115,
        }
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
