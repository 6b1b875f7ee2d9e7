//! The alphabets. Each is small, so that its automaton can be read; together they have every state, every step of SEGMENT
//! ARRIVES, every call and the timers of a connection.

use crate::word::{Word, words};

pub struct Alphabet {
    pub name: &'static str,
    pub about: &'static str,
    /// What happens before the first word.
    start: &'static str,
    words: &'static str,
    pub timestamps: bool,
}

const OPEN: &str = "CONNECT SYN,ACK";

pub const ALL: [Alphabet; 9] = [
    Alphabet {
        name: "passive",
        about: "a passive OPEN, resets in the handshake, back to LISTEN",
        start: "",
        words: "LISTEN REARM ACCEPT SYN SYN@next ACK ACK^iss ACK^beyond DATA DATA@left DATA,FIN FIN FIN@left RST RST@gap \
            CLOSE ABORT",
        timestamps: false,
    },
    Alphabet {
        name: "early-text",
        about: "text and a FIN on the SYN, held until the connection is established",
        start: "",
        words: "LISTEN REARM CONNECT SYN,DATA SYN,DATA,FIN SYN,DATA,ACK SYN,DATA,FIN,ACK ACK ACK@left ACK^iss DATA \
            DATA,FIN RST CLOSE",
        timestamps: false,
    },
    Alphabet {
        name: "active",
        about: "an active OPEN, answers that do not fit, simultaneous open, the user's patience",
        start: "",
        words: "CONNECT SYN SYN,ACK SYN,ACK^beyond SYN,FIN,ACK ACK ACK^iss RST RST,ACK RST,ACK^beyond FIN CLOSE \
            RELEASE ABORT RTO PATIENCE",
        timestamps: false,
    },
    Alphabet {
        name: "receiver",
        about: "text in order, behind a gap, old, and with a FIN",
        start: OPEN,
        words: "DATA DATA@old DATA@gap DATA@far FIN DATA,FIN@gap DATA,NOACK ACK@left ACK@far \
            CLOSE SEND",
        timestamps: false,
    },
    Alphabet {
        name: "sender",
        about: "text sent, acknowledged in parts, by numbers never sent, and again after a timeout",
        start: OPEN,
        words: "SEND ACK ACK^syn ACK^beyond DATA DATA@left DATA^syn DATA^beyond FIN FIN^syn RTO KEEP-ALIVE PATIENCE ABORT",
        timestamps: false,
    },
    Alphabet {
        name: "closing",
        about: "both orders of closing, both at once, TIME-WAIT",
        start: OPEN,
        words: "CLOSE ABORT ACK ACK^text DATA,FIN FIN FIN^text FIN@left DATA^text RST SYN SYN@next RTO 2MSL PATIENCE",
        timestamps: false,
    },
    Alphabet {
        name: "released",
        about: "a user that is gone",
        start: OPEN,
        words: "RELEASE CLOSE SEND ACK ACK^text FIN FIN^text RST FIN-WAIT-2 2MSL ABORT",
        timestamps: false,
    },
    Alphabet {
        name: "attacker",
        about: "forged segments in every state",
        start: "",
        words: "CONNECT LISTEN SYN SYN,ACK ACK CLOSE FIN RST@left RST@gap RST@far RST@old SYN@gap SYN,ACK@next \
            ACK^beyond FIN@far FIN,NOACK",
        timestamps: false,
    },
    Alphabet {
        name: "timestamps",
        about: "old timestamps and none, where both ends agreed on them",
        start: OPEN,
        words: "DATA DATA~old DATA~missing ACK ACK~old ACK~missing FIN FIN~old RST~old RST~missing SYN~old SYN \
            SYN@next~old CLOSE 2MSL",
        timestamps: true,
    },
];

/// Those for the kernel: no deadlines, and calls that sockets have.
pub const KERNEL: [Alphabet; 4] = [
    Alphabet {
        name: "kernel-passive",
        about: "a passive OPEN, resets in the handshake",
        start: "",
        words: "LISTEN SYN SYN@next SYN,ACK ACK ACK^iss ACK^beyond ACK@left DATA FIN RST RST@gap FIN,NOACK",
        timestamps: false,
    },
    Alphabet {
        name: "kernel-active",
        about: "an active OPEN, answers that do not fit, simultaneous open",
        start: "",
        words: "CONNECT SYN SYN,ACK SYN,ACK^iss SYN,ACK^beyond ACK ACK^iss RST RST,ACK RST,ACK^beyond FIN CLOSE",
        timestamps: false,
    },
    Alphabet {
        name: "kernel-receiver",
        about: "text in order, behind a gap, old, and with a FIN",
        start: OPEN,
        words: "DATA DATA@old DATA@gap DATA@far FIN DATA,FIN@gap DATA,NOACK DATA^beyond ACK@left ACK@far ACK^beyond \
            CLOSE SEND",
        timestamps: false,
    },
    Alphabet {
        name: "kernel-closing",
        about: "both orders of closing, both at once, TIME-WAIT, forged segments",
        start: OPEN,
        words: "CLOSE ACK ACK^text FIN FIN^text FIN@left DATA,FIN DATA^text RST RST@left RST@gap SYN SYN@next \
            SYN,ACK@next",
        timestamps: false,
    },
];

impl Alphabet {
    pub fn named(name: &str) -> Result<&'static Self, String> {
        ALL.iter().chain(&KERNEL).find(|alphabet| alphabet.name == name).ok_or_else(|| {
            let names: Vec<&str> = ALL.iter().map(|alphabet| alphabet.name).collect();
            format!("there is no alphabet `{name}`; there are {}", names.join(", "))
        })
    }

    pub fn start(&self) -> Vec<Word> {
        words(self.start).expect("words")
    }

    pub fn words(&self) -> Vec<Word> {
        words(self.words).expect("words")
    }
}
