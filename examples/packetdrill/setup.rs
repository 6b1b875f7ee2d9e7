//! The options of a script and its commands: the settings before and between the events.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use crate::cursor::ParseError;
use crate::files;
use crate::script::Script;

/// What the options say. The values of [`Default`] are packetdrill's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Setup {
    /// The address of the stack under test.
    pub local: IpAddr,
    pub remote: IpAddr,
    /// The port that `bind` takes where a script says `...`.
    pub bind_port: u16,
    /// The port of the peer that `connect` takes.
    pub connect_port: u16,
    /// The MTU of the device.
    pub mtu: u16,
    /// How far times may differ.
    pub tolerance: Duration,
    /// One tick of the stack's timestamps.
    pub tick: Duration,
    /// The ISS of the stack, where it lets a test choose; none: its own.
    pub iss: Option<u32>,
    /// The number to add to all sequence numbers of the peer.
    pub shift: u32,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            local: Ipv4Addr::new(192, 168, 0, 1).into(),
            remote: Ipv4Addr::new(192, 0, 2, 1).into(),
            bind_port: 8080,
            connect_port: 8080,
            mtu: 1500,
            tolerance: Duration::from_micros(4000),
            tick: Duration::from_micros(1000),
            iss: None,
            shift: 0,
        }
    }
}

/// The options that change something here.
pub const OPTIONS: [&str; 8] =
    ["ip_version", "local_ip", "remote_ip", "bind_port", "connect_port", "mtu", "tolerance_usecs", "tcp_ts_tick_usecs"];

/// Options of packetdrill that have no meaning in virtual time and without a device.
const WITHOUT_MEANING: [&str; 12] = [
    "debug",
    "dry_run",
    "gateway_ip",
    "init_scripts",
    "netmask_ip",
    "no_cleanup",
    "non_fatal",
    "persistent_tun_dev",
    "send_omit_free",
    "speed",
    "tolerance_percent",
    "verbose",
];

impl Setup {
    /// With the options of a script.
    ///
    /// # Errors
    /// The line of an option that is not known or has no such value.
    pub fn with_options_of(mut self, script: &Script) -> Result<Self, ParseError> {
        // The version first: it chooses the addresses that others replace.
        let is_version = |name: &str| name == "ip_version";
        for version in [true, false] {
            for (line, name, value) in script.options.iter().filter(|(_, name, _)| is_version(name) == version) {
                let value = value.as_deref().unwrap_or("");
                self.set(name, value).map_err(|problem| ParseError { line: *line, problem })?;
            }
        }
        let line_of = |wanted: &str| {
            let of = |(_, name, _): &&(usize, String, Option<String>)| name == wanted;
            let first = script.options.first().map_or(1, |(line, ..)| *line);
            script.options.iter().rfind(of).map_or(first, |(line, ..)| *line)
        };
        if self.local.is_ipv4() != self.remote.is_ipv4() {
            let problem = "--local_ip and --remote_ip are of different versions".into();
            return Err(ParseError { line: line_of("ip_version"), problem });
        }
        let (least, clause) = if self.local.is_ipv4() { (68, "RFC 791") } else { (1280, "RFC 8200 §5") };
        if self.mtu < least {
            let problem = format!("--mtu={} is less than every link carries: {least} ({clause})", self.mtu);
            return Err(ParseError { line: line_of("mtu"), problem });
        }
        Ok(self)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        fn read<T: std::str::FromStr>(name: &str, value: &str) -> Result<T, String> {
            value.parse().map_err(|_| format!("{value:?} is no value for --{name}"))
        }
        match name {
            "ip_version" => match value {
                "ipv4" => (self.local, self.remote) = (Self::default().local, Self::default().remote),
                "ipv6" => {
                    self.local = Ipv6Addr::new(0xfd3d, 0x0a0b, 0x17d6, 0, 0, 0, 0, 1).into();
                    self.remote = Ipv6Addr::new(0xfd3d, 0xfa7b, 0xd17d, 0, 0, 0, 0, 1).into();
                }
                _ => return Err(format!("--ip_version is ipv4 or ipv6, not {value:?}")),
            },
            "local_ip" => self.local = read(name, value)?,
            "remote_ip" => self.remote = read(name, value)?,
            "bind_port" => self.bind_port = read(name, value)?,
            "connect_port" => self.connect_port = read(name, value)?,
            "mtu" => self.mtu = read(name, value)?, // `with_options_of` compares it with the least of IP
            "tolerance_usecs" => self.tolerance = Duration::from_micros(read(name, value)?),
            "tcp_ts_tick_usecs" => self.tick = Duration::from_micros(read::<u64>(name, value)?.max(1)),
            _ if WITHOUT_MEANING.contains(&name) => {}
            _ => return Err(format!("the option --{name} is not known; known are --{}", OPTIONS.join(" --"))),
        }
        Ok(())
    }

    /// The stack's address with this port.
    pub const fn local(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.local, port)
    }

    pub const fn remote(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.remote, port)
    }
}

/// The words of a command of a shell. Quotes join, `#` begins a comment; commands end with lines, `;` and `&&`.
fn commands(text: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    for line in text.lines() {
        let (mut word, mut quote, mut in_word) = (String::new(), None, false);
        let mut end = |word: &mut String, in_word: &mut bool, command_ends: bool| {
            if std::mem::take(in_word) {
                commands.last_mut().expect("one at least").push(std::mem::take(word));
            }
            if command_ends {
                commands.push(Vec::new());
            }
        };
        for c in line.chars() {
            match (quote, c) {
                (Some(open), c) if c == open => quote = None,
                (None, '"' | '\'') => (quote, in_word) = (Some(c), true),
                (None, '#') if !in_word => break,
                (None, ';' | '&') => end(&mut word, &mut in_word, true),
                (None, c) if c.is_whitespace() => end(&mut word, &mut in_word, false),
                _ => {
                    word.push(c);
                    in_word = true;
                }
            }
        }
        end(&mut word, &mut in_word, true);
    }
    commands.retain(|words| !words.is_empty());
    commands
}

/// How deep `.sh` files may call each other.
const NESTED: usize = 16;

/// The variables that a command sets. A script of a shell that it calls is read from beside the script, `directory`.
///
/// # Errors
/// A command that sets no variables.
pub fn settings(command: &str, directory: Option<&Path>) -> Result<Vec<(String, String)>, String> {
    nested_settings(command, directory, 0)
}

fn nested_settings(command: &str, directory: Option<&Path>, depth: usize) -> Result<Vec<(String, String)>, String> {
    let mut settings = Vec::new();
    for words in commands(command) {
        match words[0].as_str() {
            "sysctl" => settings.extend(sysctl(&words[1..])?),
            "true" | ":" | "set" => {}
            "ip" if words.get(1).is_some_and(|word| word == "tcp_metrics") => {} // nothing is remembered here
            script if script.ends_with(".sh") => {
                if depth == NESTED {
                    return Err(format!(
                        "{script} is called from {NESTED} files within each other: is one its own caller?"
                    ));
                }
                let path = directory.unwrap_or(Path::new(".")).join(script);
                settings.extend(nested_settings(&files::read(&path)?, path.parent(), depth + 1)?);
            }
            other => {
                return Err(format!(
                    "no shell runs here: {other:?} is neither sysctl, true nor the name of a .sh file with such lines"
                ));
            }
        }
    }
    Ok(settings)
}

/// `-q -w name=value …`
fn sysctl(words: &[String]) -> Result<Vec<(String, String)>, String> {
    let pairs = words.iter().filter(|word| !word.starts_with('-'));
    pairs
        .map(|word| {
            let pair = word.split_once('=').map(|(name, value)| (name.trim().to_string(), value.trim().to_string()));
            pair.ok_or_else(|| format!("{word:?} sets nothing: write sysctl NAME=VALUE"))
        })
        .collect()
}

/// Whom a variable concerns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Owner {
    /// The stack under test: it knows the variable, or refuses it.
    Stack,
    /// Another stack, or a part of Linux that is not here.
    Other,
}

/// What the variables of the stacks of this package begin with.
const STACKS: [&str; 2] = ["segue.", "smoltcp."];

/// Parts of Linux that scripts for it set, too.
const PARTS_OF_LINUX: [&str; 3] = ["kernel.", "net.core.", "vm."];

/// The owner of a variable while this stack is under test; none: a name that nobody knows.
pub fn owner(name: &str, stack: &str) -> Option<Owner> {
    let is_of = |prefix: &&str| name.strip_prefix(*prefix).is_some_and(|rest| !rest.is_empty());
    let own = name.strip_prefix(stack).is_some_and(|rest| rest.starts_with('.'));
    match STACKS.iter().chain(&PARTS_OF_LINUX).any(is_of) {
        _ if own => Some(Owner::Stack),
        true => Some(Owner::Other),
        false => name.starts_with("net.").then_some(Owner::Stack),
    }
}

/// Words for a variable without an owner.
pub fn unknown_variable(name: &str) -> String {
    let known: Vec<&str> = STACKS.iter().chain(&PARTS_OF_LINUX).copied().collect();
    format!("nobody knows the variable {name}: the names begin with net.ipv4. {}", known.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_as_a_shell_reads_them() {
        let text = "sysctl -q net.ipv4.tcp_sack=0; sysctl net.ipv4.tcp_rmem=\"4096 87380 6291456\" # a comment\n\ntrue && sysctl -w a=1 b=2";
        let pair = |name: &str, value: &str| (name.to_string(), value.to_string());
        let expected = [
            pair("net.ipv4.tcp_sack", "0"),
            pair("net.ipv4.tcp_rmem", "4096 87380 6291456"),
            pair("a", "1"),
            pair("b", "2"),
        ];
        assert_eq!(settings(text, None), Ok(expected.to_vec()));
        assert!(settings("rm -rf /", None).unwrap_err().contains("no shell runs here"));
        assert!(settings("sysctl net.ipv4.tcp_sack", None).unwrap_err().contains("sets nothing"));
        assert!(settings("./nowhere.sh", None).unwrap_err().contains("cannot read"));
    }
}
