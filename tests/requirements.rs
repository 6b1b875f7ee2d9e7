//! The requirements of RFC 9293 that fall on the machine, by their numbers: each is shown with exact values. `docs/conformance.md` says
//! which test shows which, and names the tests elsewhere that show the rest.

#[path = "requirements/acknowledgment.rs"]
mod acknowledgment;
#[path = "requirements/arrives.rs"]
mod arrives;
#[path = "requirements/challenges.rs"]
mod challenges;
#[path = "requirements/closing.rs"]
mod closing;
#[path = "requirements/decisions.rs"]
mod decisions;
#[path = "requirements/icmp.rs"]
mod icmp;
#[path = "requirements/interface.rs"]
mod interface;
#[path = "../examples/tun/isn.rs"]
#[expect(dead_code, reason = "the example's generator of initial sequence numbers, whole")]
mod isn;
#[path = "requirements/keep_alive.rs"]
mod keep_alive;
#[path = "requirements/opening.rs"]
mod opening;
#[path = "requirements/options.rs"]
mod options;
#[path = "requirements/retransmission.rs"]
mod retransmission;
#[path = "requirements/segmentation.rs"]
mod segmentation;
#[path = "requirements/settings.rs"]
mod settings;
#[path = "requirements/timestamps.rs"]
mod timestamps;
#[path = "requirements/urgent.rs"]
mod urgent;
#[path = "requirements/user_timeout.rs"]
mod user_timeout;
#[path = "requirements/window.rs"]
mod window;

/// What the generator of the example wants to know of a connection.
mod ip {
    #[derive(Clone, Copy, Hash)]
    pub(crate) struct Flow {
        pub(crate) local: std::net::SocketAddr,
        pub(crate) remote: std::net::SocketAddr,
    }
}
